import { CancellationScope, isCancellation, setCurrentDetails, setHandler, workflowInfo } from '@temporalio/workflow';
import type { createAgentActivities } from '../activities/agent.ts';
import type { Attachment } from '../contracts/attachment.ts';
import type { JobEventData } from '../contracts/event.ts';
import type { AgentTurnInput, AgentTurnResult, OpenedTurn } from '../contracts/workflow.ts';
import { proxyActivities } from './activities.ts';
import * as messages from './messages.ts';
import { ModelCalls } from './model-calls.ts';
import { PauseGate } from './pause-gate.ts';
import { finishHandlers } from './steps.ts';
import { ToolCalls } from './tool-calls.ts';
import { TurnState } from './turn-state.ts';

const { openTurn, addUserMessage, sayInJob } = proxyActivities<ReturnType<typeof createAgentActivities>>({
  // Reads and writes of the conversation: milliseconds. Opening reads the repository too: seconds on a huge one.
  startToCloseTimeout: '5m',
  retry: { initialInterval: '200ms', maximumInterval: '10s' },
});
const emptyAnswersInARow = 3;

/** One turn of an agent: the model is asked, its tool calls are answered, until it is done. The conversation and the workspace are hashes. */
export async function agentTurn(input: AgentTurnInput): Promise<AgentTurnResult> {
  const turn = new AgentTurn(input);
  const result = await turn.run();
  await finishHandlers();
  return result;
}

class AgentTurn {
  private readonly state: TurnState;
  private readonly calls: ModelCalls;
  private readonly input: AgentTurnInput;
  private opened!: OpenedTurn;
  private tools!: ToolCalls;
  private head = '';
  private snapshot: string;
  private text = '';
  private readonly gate = new PauseGate();
  private readonly scope = new CancellationScope();
  private stopped = false;
  private eventsSaid = 0;

  constructor(input: AgentTurnInput) {
    this.input = input;
    this.snapshot = input.snapshot;
    this.state = new TurnState(input.permissions);
    const { job, title, models, budget } = input;
    this.calls = new ModelCalls({
      jobId: job.jobId,
      title,
      models,
      budget,
      identity: () => this.identity(),
      event: (data) => this.event(data),
      note: (message) => this.note(message),
      show: (now) => this.show(now),
    });
    this.listen();
  }

  async run(): Promise<AgentTurnResult> {
    try {
      const status = await this.scope.run(() => this.work());
      if (status === 'limit')
        await this.note(`${this.input.title}: ended after ${this.input.maxModelCalls} calls of the model`);
      if (status === 'refused') await this.note(`${this.input.title}: ${this.calls.model} declined to answer`);
      return this.result(status);
    } catch (error) {
      if (isCancellation(error) && this.stopped) return this.result('stopped');
      throw error;
    }
  }

  private async work(): Promise<AgentTurnResult['status']> {
    const { job, head, prompt, attachments, snapshot, plan, tools, permissions, models } = this.input;
    this.opened = await openTurn({
      job,
      head,
      prompt,
      snapshot,
      tools,
      permissions,
      model: models[0]!,
      ...(attachments ? { attachments } : {}),
      ...(plan ? { plan } : {}),
    });
    this.head = this.opened.head;
    this.tools = new ToolCalls(
      {
        input: this.input,
        state: this.state,
        calls: this.calls,
        identity: () => this.identity(),
        event: (data) => this.event(data),
        show: () => this.show(),
      },
      this.opened.commands,
    );
    let empty = 0;
    for (let calls = 0; calls < this.input.maxModelCalls; calls += 1) {
      await this.gate.pass();
      await this.takeSteering();
      const answer = await this.calls.ask({ spec: this.opened.spec, head: this.head, snapshot: this.snapshot });
      this.head = answer.head;
      if (answer.text) this.text = answer.text;
      this.show();
      if (answer.stopReason === 'tool-calls') {
        empty = 0;
        await this.useTools();
        continue;
      }
      if (answer.stopReason === 'refusal') return 'refused';
      if (answer.stopReason === 'max-tokens') {
        await this.say('Your answer was cut off at its length limit. Go on exactly where it ended.');
        continue;
      }
      if (answer.text === '' && (empty += 1) < emptyAnswersInARow) {
        await this.say(
          'Your answer was empty. Go on with the task, or say what you have done and that you are finished.',
        );
        continue;
      }
      // Something said while it was answering still counts.
      if (!this.state.hasSteering()) return 'done';
    }
    return 'limit';
  }

  private listen(): void {
    setHandler(messages.decideCallUpdate, (decision) =>
      this.state.decide(decision.callId, decision.allowed, decision.reason, decision.always),
    );
    setHandler(messages.answerQuestionUpdate, (callId, answer) => this.state.answer(callId, answer));
    setHandler(messages.raiseBudgetUpdate, (more) => this.calls.ledger.raise(more));
    setHandler(messages.steerSignal, (text, attachments) => this.state.steer(text, attachments));
    setHandler(messages.stopSignal, () => {
      this.stopped = true;
      this.scope.cancel();
    });
    setHandler(messages.turnStateQuery, () => ({
      head: this.head,
      snapshot: this.snapshot,
      pending: this.state.pending,
      spent: this.calls.ledger.spent,
    }));
  }

  private result(status: AgentTurnResult['status']): AgentTurnResult {
    const { head, snapshot, text } = this;
    const { allowed } = this.state;
    return {
      status,
      text,
      head,
      snapshot,
      spending: this.calls.ledger.spent,
      raised: this.calls.ledger.raisedBy,
      ...(allowed.length > 0 ? { allowed } : {}),
    };
  }

  /** Answers the calls of the last message. */
  private async useTools(): Promise<void> {
    const { head, snapshot } = this;
    const after = await this.tools.answer({ head, snapshot }, (moved) => (this.snapshot = moved));
    this.head = after.head;
  }

  private async takeSteering(): Promise<void> {
    const said = this.state.takeSteering();
    if (said) await this.say(said.text, said.attachments);
  }

  private async say(text: string, attachments: Attachment[] = []): Promise<void> {
    this.head = await addUserMessage({ head: this.head, snapshot: this.snapshot, text, attachments });
  }

  private identity(): { turn: string; title: string } {
    return { turn: workflowInfo().workflowId, title: this.input.title };
  }

  private async note(message: string): Promise<void> {
    await this.event({ type: 'note', level: 'warning', message });
  }

  private async event(data: JobEventData): Promise<void> {
    const { runId } = workflowInfo();
    const at = new Date().toISOString();
    await sayInJob({ jobId: this.input.job.jobId, key: `${runId}:${(this.eventsSaid += 1)}`, at, data });
  }

  private show(now?: string): void {
    const { spent } = this.calls.ledger;
    const state = now ?? (this.state.pending ? `at work: ${this.state.pending.type}` : 'at work');
    setCurrentDetails(
      [
        `**${this.input.title}** ${state}`,
        '',
        `${spent.calls} calls of ${this.calls.model}, ${spent.inputTokens} + ${spent.outputTokens} tokens, $${spent.usd.toFixed(4)}`,
        ...(this.text ? ['', this.text.slice(0, 2_000)] : []),
      ].join('\n'),
    );
  }
}

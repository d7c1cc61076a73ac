import { CancellationScope, isCancellation, setCurrentDetails, setHandler, workflowInfo } from '@temporalio/workflow';
import type { createAgentActivities } from '../activities/agent.ts';
import type { JobEventData } from '../contracts/event.ts';
import type { Thinking } from '../contracts/llm.ts';
import type { StrategyName } from '../contracts/reasoning.ts';
import type { AgentTurnInput, AgentTurnResult, OpenedTurn } from '../contracts/workflow.ts';
import { chooseStrategy } from '../llm/reasoning/choose-strategy.ts';
import { isWhole, type ReasoningAnswer } from '../llm/reasoning/reasoner.ts';
import { thinkingAsked } from '../llm/thinking.ts';
import { proxyActivities } from './activities.ts';
import * as messages from './messages.ts';
import { ModelCalls } from './model-calls.ts';
import { PauseGate } from './pause-gate.ts';
import { type Talk, TurnReasoner } from './reasoning.ts';
import { finishHandlers } from './steps.ts';
import { ToolCalls } from './tool-calls.ts';
import { TurnState } from './turn-state.ts';

const { openTurn, addUserMessage, sayInJob } = proxyActivities<ReturnType<typeof createAgentActivities>>({
  // Reads and writes of the conversation: milliseconds. Opening reads the repository too: seconds on a huge one.
  startToCloseTimeout: '5m',
  retry: { initialInterval: '200ms', maximumInterval: '10s' },
});
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
  /** What the user's words ask of the model's own thinking. */
  private thinking: Thinking;
  /** Blob hash of the work items that it proposed. */
  private proposed: string | undefined;
  private readonly gate = new PauseGate();
  private readonly scope = new CancellationScope();
  private stopped = false;
  private eventsSaid = 0;

  constructor(input: AgentTurnInput) {
    this.input = input;
    this.snapshot = input.snapshot;
    this.thinking = input.reasoning?.thinking ?? { mode: 'model' };
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
      return this.result(await this.scope.run(() => this.work()));
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
    return await this.think();
  }

  /** Asks, uses tools and asks again, in the way that was chosen, until it is done and nobody has said anything more. */
  private async think(): Promise<AgentTurnResult['status']> {
    const { opened, gate, calls, input } = this;
    const reasoner = new TurnReasoner({
      spec: opened.spec,
      calls,
      gate,
      maxCalls: input.maxModelCalls,
      carriesOut: input.permissions.mode !== 'plan',
      identity: () => this.identity(),
      event: (data) => this.event(data),
      snapshot: () => this.snapshot,
      thinking: () => this.thinking,
      hear: (talk) => this.hear(talk),
      answered: (talk, text) => this.answered(talk, text),
      useTools: (talk) => this.useTools(talk),
    });
    const strategy = await this.chooseStrategy();
    let result = await reasoner.reason(strategy, input.reasoning?.limits ?? {}, { head: this.head, heard: 0 });
    // Something said while it was answering still counts.
    while (isWhole(result) && this.state.timesSteered > result.after.heard)
      result = await reasoner.reason('direct', {}, result.after);
    this.answered(result.after, result.text);
    return await this.statusOf(result.stopReason);
  }

  private async chooseStrategy(): Promise<StrategyName> {
    const { reasoning, tools, title } = this.input;
    if (!reasoning) return 'direct';
    const { purpose, failedAttempts } = reasoning;
    const { modelThinks } = this.opened;
    const { strategy, reason } = chooseStrategy(reasoning, {
      purpose,
      failedAttempts,
      modelThinks,
      thinking: this.thinking.mode,
      tools: tools.length > 0,
    });
    if (strategy !== 'direct') await this.event({ type: 'reasoning.chosen', ...this.identity(), strategy, reason });
    if (strategy === 'extended-thinking' && !modelThinks)
      await this.note(`${title}: ${this.calls.model} is not known to think by itself, and is asked as it is`);
    return strategy;
  }

  private async statusOf(stopReason: ReasoningAnswer<Talk>['stopReason']): Promise<AgentTurnResult['status']> {
    const { title, maxModelCalls } = this.input;
    switch (stopReason) {
      case 'refusal':
        await this.note(`${title}: ${this.calls.model} declined to answer`);
        return 'refused';
      case 'limit':
        await this.note(`${title}: ended after ${maxModelCalls} calls of the model`);
        return 'limit';
      case 'max-tokens':
      case 'context':
        await this.note(`${title}: ended, because ${this.calls.model} reached its length limit again and again`);
        return 'limit';
      case 'end':
      case 'stop-sequence':
      case 'tool-calls':
        return 'done';
    }
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
    const { head, snapshot, text, proposed } = this;
    const { allowed } = this.state;
    return {
      status,
      text,
      head,
      snapshot,
      spending: this.calls.ledger.spent,
      raised: this.calls.ledger.raisedBy,
      ...(allowed.length > 0 ? { allowed } : {}),
      ...(proposed === undefined ? {} : { work: proposed }),
    };
  }

  private answered({ head }: Talk, text: string): void {
    this.head = head;
    if (text) this.text = text;
    this.show();
  }

  /** Answers the calls of the last message. */
  private async useTools({ head, heard }: Talk): Promise<Talk> {
    const after = await this.tools.answer({ head, snapshot: this.snapshot }, (moved) => (this.snapshot = moved));
    this.head = after.head;
    if (after.work !== undefined) this.proposed = after.work;
    return { head: after.head, heard };
  }

  private async hear(talk: Talk): Promise<Talk> {
    const said = this.state.steeringAfter(talk.heard);
    if (!said) return talk;
    const heard = this.state.timesSteered;
    const asked = thinkingAsked(said.text);
    if (asked.mode !== 'model') this.thinking = asked;
    return { head: await addUserMessage({ head: talk.head, snapshot: this.snapshot, ...said }), heard };
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

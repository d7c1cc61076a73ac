import {
  CancellationScope,
  condition,
  executeChild,
  isCancellation,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { createAgentActivities } from '../activities/agent.ts';
import type { createPageActivities } from '../activities/pages.ts';
import type { CallOutcome, PendingCall, Spending } from '../contracts/agent.ts';
import type { JobEventData } from '../contracts/event.ts';
import type { StepResult } from '../contracts/step.ts';
import type { AgentTurnInput, AgentTurnResult, OpenedTurn, StepOrder } from '../contracts/workflow.ts';
import { proxyActivities } from './activities.ts';
import { nothingSpent } from './ledger.ts';
import * as messages from './messages.ts';
import { ModelCalls } from './model-calls.ts';
import { PauseGate } from './pause-gate.ts';
import { stepContext } from './step-order.ts';
import { failureMessage, finishHandlers, runStep } from './steps.ts';
import { sourceTaskQueue } from './task-queues.ts';
import { TurnState } from './turn-state.ts';

const { openTurn, answerToolCalls, addUserMessage, sayInJob } = proxyActivities<
  ReturnType<typeof createAgentActivities>
>({
  // Reads and writes of snapshots and of the conversation: milliseconds, on a huge repository seconds.
  startToCloseTimeout: '5m',
  retry: { initialInterval: '200ms', maximumInterval: '10s' },
});
const { fetchPage } = proxyActivities<ReturnType<typeof createPageActivities>>({
  taskQueue: sourceTaskQueue,
  startToCloseTimeout: '2m',
  summary: 'Fetch a page',
  retry: { maximumAttempts: 3 },
});

const defaultCommandTimeoutMs = 10 * 60_000;
const deepestDelegation = 2;
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
  private head = '';
  private snapshot: string;
  private text = '';
  private readonly gate = new PauseGate();
  private readonly scope = new CancellationScope();
  private stopped = false;
  private eventsSaid = 0;
  private children = 0;

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
    const { job, head, prompt, snapshot, plan, tools, permissions, models } = this.input;
    this.opened = await openTurn({
      job,
      head,
      prompt,
      snapshot,
      tools,
      permissions,
      model: models[0]!,
      ...(plan ? { plan } : {}),
    });
    this.head = this.opened.head;
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
    setHandler(messages.steerSignal, (text) => this.state.steer(text));
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
    const { job, title, tools } = this.input;
    const { testCommand } = this.opened.commands;
    let progress: string | null = null;
    let outcome: CallOutcome | undefined;
    for (;;) {
      const { head, snapshot } = this;
      const { permissions } = this.state;
      const after = await this.calls.timed(() =>
        answerToolCalls({
          job,
          title,
          head,
          snapshot,
          permissions,
          tools,
          progress,
          commit: this.input.commit,
          ...(outcome ? { outcome } : {}),
          ...(testCommand ? { testCommand } : {}),
        }),
      );
      this.snapshot = after.snapshot;
      if (after.done) {
        this.head = after.head;
        return;
      }
      progress = after.progress;
      this.state.pending = after.pending;
      this.show();
      outcome = await this.resolve(after.pending);
      this.state.pending = null;
    }
  }

  private async resolve(pending: PendingCall): Promise<CallOutcome> {
    switch (pending.type) {
      case 'approval':
        return await this.askUser(pending.callId, {
          kind: 'approval',
          text: pending.summary,
          tool: pending.tool,
          choices: [],
        });
      case 'question':
        return await this.askUser(pending.callId, {
          kind: 'question',
          text: pending.question,
          choices: pending.choices,
        });
      case 'step':
        return await this.calls.timed(() => this.runCommand(pending));
      case 'fetch':
        return await this.calls.timed(() => this.fetch(pending));
      case 'delegate':
        return await this.delegate(pending);
    }
  }

  private async askUser(
    callId: string,
    asked: { kind: 'approval' | 'question'; text: string; choices: string[]; tool?: string },
  ): Promise<CallOutcome> {
    const { kind } = asked;
    if (!this.state.outcomeOf(kind, callId)) {
      await this.event({ type: 'agent.asks', ...this.identity(), callId, ...asked });
      await condition(() => this.state.outcomeOf(kind, callId) !== undefined);
    }
    return this.state.outcomeOf(kind, callId)!;
  }

  private async runCommand(pending: Extract<PendingCall, { type: 'step' }>): Promise<CallOutcome> {
    const { job, phase, inputs } = this.input;
    const { layers, tools, class: className } = this.opened.commands;
    const order: StepOrder = {
      project: job.project,
      snapshot: this.snapshot,
      command: pending.command,
      env: job.request.env,
      layers,
      inputs,
      outputs: [],
      tools,
      class: className,
      timeoutMs: pending.timeoutMs ?? Math.min(job.request.stepTimeoutMs ?? Infinity, defaultCommandTimeoutMs),
      cache: job.request.cache,
    };
    const { callId } = pending;
    try {
      const result: StepResult = await runStep(stepContext(job, phase, `agent:${callId}`, pending.title), order);
      const { end, exitCode, snapshot, log } = result;
      // What a command that failed has written is kept too: the agent sees the same workspace as the command did.
      return { callId, type: 'step', end, exitCode, snapshot, log };
    } catch (error) {
      if (isCancellation(error)) throw error;
      return {
        callId,
        type: 'step',
        end: 'error',
        exitCode: null,
        snapshot: this.snapshot,
        message: failureMessage(error),
      };
    }
  }

  private async fetch({ callId, url }: Extract<PendingCall, { type: 'fetch' }>): Promise<CallOutcome> {
    try {
      return { callId, type: 'fetch', ...(await fetchPage({ url })) };
    } catch (error) {
      if (isCancellation(error)) throw error;
      return { callId, type: 'fetch', status: 0, mediaType: '', body: '', error: failureMessage(error) };
    }
  }

  private async delegate(pending: Extract<PendingCall, { type: 'delegate' }>): Promise<CallOutcome> {
    const { callId, title, prompt } = pending;
    const { snapshot } = this;
    if (this.input.depth >= deepestDelegation)
      return { callId, type: 'delegate', succeeded: false, answer: 'an agent this deep cannot delegate', snapshot };
    const budget = this.calls.ledger.reserve();
    let spent: Spending = nothingSpent;
    try {
      const child = await executeChild(agentTurn, {
        workflowId: `${workflowInfo().workflowId}/${(this.children += 1)}`,
        args: [
          {
            ...this.input,
            title,
            prompt,
            head: null,
            snapshot,
            budget,
            permissions: this.state.permissions,
            depth: this.input.depth + 1,
          },
        ],
        cancellationType: 'WAIT_CANCELLATION_COMPLETED',
        parentClosePolicy: 'REQUEST_CANCEL',
        staticSummary: title.slice(0, 200),
      });
      spent = child.spending;
      return {
        callId,
        type: 'delegate',
        succeeded: child.status === 'done',
        answer: child.text,
        snapshot: child.snapshot,
      };
    } catch (error) {
      if (isCancellation(error)) throw error;
      return { callId, type: 'delegate', succeeded: false, answer: failureMessage(error), snapshot };
    } finally {
      this.calls.ledger.settle(budget, spent);
    }
  }

  private async takeSteering(): Promise<void> {
    const text = this.state.takeSteering();
    if (text !== undefined) await this.say(text);
  }

  private async say(text: string): Promise<void> {
    this.head = await addUserMessage({ head: this.head, snapshot: this.snapshot, text });
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

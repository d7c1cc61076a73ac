import { condition, isCancellation, workflowInfo } from '@temporalio/workflow';
import type { createAgentActivities } from '../activities/agent.ts';
import type { createPageActivities } from '../activities/pages.ts';
import type { CallOutcome, PendingCall } from '../contracts/agent.ts';
import type { JobEventData } from '../contracts/event.ts';
import type { StepResult } from '../contracts/step.ts';
import type { AgentTurnInput, CommandSettings, StepOrder } from '../contracts/workflow.ts';
import { proxyActivities } from './activities.ts';
import { runChildTurn } from './child-turn.ts';
import type { ModelCalls } from './model-calls.ts';
import { stepContext } from './step-order.ts';
import { failureMessage, runStep } from './steps.ts';
import { sourceTaskQueue } from './task-queues.ts';
import type { TurnState } from './turn-state.ts';

const { answerToolCalls } = proxyActivities<ReturnType<typeof createAgentActivities>>({
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

/** What answering tool calls needs of the turn that they belong to. */
export interface CallingAgent {
  input: AgentTurnInput;
  state: TurnState;
  calls: ModelCalls;
  identity(): { turn: string; title: string };
  event(data: JobEventData): Promise<void>;
  show(): void;
}

/** Where a conversation stands: the hash of its head, and the workspace after it. */
export interface Standing {
  head: string;
  snapshot: string;
}

interface Answered extends Standing {
  /** Blob hash of the work items that were proposed. */
  work?: string;
}

/** Answers the tool calls of a turn: what the tools cannot do alone is asked of users, nodes, the web and other agents. */
export class ToolCalls {
  private readonly agent: CallingAgent;
  private readonly commands: CommandSettings;
  private children = 0;

  constructor(agent: CallingAgent, commands: CommandSettings) {
    this.agent = agent;
    this.commands = commands;
  }

  /** Answers the calls of the message at the head. `moved` hears of each new snapshot as it comes. */
  async answer({ head, snapshot: given }: Standing, moved: (snapshot: string) => void): Promise<Answered> {
    const { state, calls, input } = this.agent;
    const { job, title, tools, commit } = input;
    const { testCommand } = this.commands;
    let snapshot = given;
    let progress: string | null = null;
    let outcome: CallOutcome | undefined;
    for (;;) {
      const { permissions } = state;
      const after = await calls.timed(() =>
        answerToolCalls({
          job,
          title,
          head,
          snapshot,
          permissions,
          tools,
          progress,
          commit,
          ...(outcome ? { outcome } : {}),
          ...(testCommand ? { testCommand } : {}),
        }),
      );
      snapshot = after.snapshot;
      moved(snapshot);
      if (after.done) return { head: after.head, snapshot, ...(after.work ? { work: after.work } : {}) };
      progress = after.progress;
      state.pending = after.pending;
      this.agent.show();
      outcome = await this.resolve(after.pending, snapshot);
      state.pending = null;
    }
  }

  private async resolve(pending: PendingCall, snapshot: string): Promise<CallOutcome> {
    const { calls } = this.agent;
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
        return await calls.repeatable(() => this.runCommand(pending, snapshot));
      case 'fetch':
        return await calls.repeatable(() => this.fetch(pending));
      case 'delegate':
        return await this.delegate(pending, snapshot);
    }
  }

  private async askUser(
    callId: string,
    asked: { kind: 'approval' | 'question'; text: string; choices: string[]; tool?: string },
  ): Promise<CallOutcome> {
    const { kind } = asked;
    const { state } = this.agent;
    if (!state.outcomeOf(kind, callId)) {
      await this.agent.event({ type: 'agent.asks', ...this.agent.identity(), callId, ...asked });
      await condition(() => state.outcomeOf(kind, callId) !== undefined);
    }
    return state.outcomeOf(kind, callId)!;
  }

  private async runCommand(
    pending: Extract<PendingCall, { type: 'step' }>,
    snapshotBefore: string,
  ): Promise<CallOutcome> {
    const { job, phase, inputs } = this.agent.input;
    const { layers, tools, class: className } = this.commands;
    const order: StepOrder = {
      project: job.project,
      snapshot: snapshotBefore,
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
        snapshot: snapshotBefore,
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

  private async delegate(pending: Extract<PendingCall, { type: 'delegate' }>, snapshot: string): Promise<CallOutcome> {
    const { callId, title, prompt } = pending;
    const { input, state, calls } = this.agent;
    if (input.depth >= deepestDelegation)
      return { callId, type: 'delegate', succeeded: false, answer: 'an agent this deep cannot delegate', snapshot };
    const turn = `${workflowInfo().workflowId}/${(this.children += 1)}`;
    const { permissions } = state;
    const own = { title, prompt, attachments: [], head: null, snapshot, permissions, depth: input.depth + 1 };
    // How the whole is to be thought about was not said of its parts.
    const reasoning = input.reasoning && { ...input.reasoning, strategy: 'direct' as const };
    try {
      const child = await runChildTurn(calls.ledger, turn, { ...input, ...own, ...(reasoning ? { reasoning } : {}) });
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
    }
  }
}

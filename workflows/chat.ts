import {
  ActivityFailure,
  CancellationScope,
  ChildWorkflowFailure,
  condition,
  continueAsNew,
  isCancellation,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { createAnalysisActivities } from '../activities/analysis.ts';
import type { createSourceActivities } from '../activities/sources.ts';
import type { PermissionRule } from '../contracts/agent.ts';
import type { ChatMessage, ChatUndo } from '../contracts/chat.ts';
import type { JobResult } from '../contracts/job.ts';
import type { Reasoning } from '../contracts/reasoning.ts';
import type { AgentTurnResult, ChatInput, ChatSoFar, Published } from '../contracts/workflow.ts';
import { thinkingAsked } from '../llm/thinking.ts';
import { proxyActivities } from './activities.ts';
import { ChatState } from './chat-state.ts';
import { runChildTurn, type TurnHandle } from './child-turn.ts';
import { addSpending, Ledger, nothingSpent } from './ledger.ts';
import * as messages from './messages.ts';
import { allTools, mostModelCalls } from './mode-agents.ts';
import { orWrongState } from './or-wrong-state.ts';
import { Progress } from './progress.ts';
import { failureCode, failureMessage, finishHandlers } from './steps.ts';
import { sourceTaskQueue } from './task-queues.ts';
import { tellChild } from './tell-child.ts';

const { importSource, publish, makePatch } = proxyActivities<ReturnType<typeof createSourceActivities>>({
  taskQueue: sourceTaskQueue,
  // A first fetch of a large repository over a slow line.
  startToCloseTimeout: '60m',
  retry: { maximumInterval: '30s', maximumAttempts: 3 },
});
const { analyseProject } = proxyActivities<ReturnType<typeof createAnalysisActivities>>({
  startToCloseTimeout: '10m',
  summary: 'Read the sources',
  retry: { maximumInterval: '30s' },
});

const idleTime = '7 days';
/** Each leaves some tens of events; a run's history stays far below its limit. */
const messagesPerRun = 50;
const textInEvents = 500;

/** A conversation with an agent about one repository: each message is a turn that goes on where the one before it ended. */
export async function chat(input: ChatInput): Promise<JobResult> {
  return await new Chat(input).run();
}

class Chat {
  private readonly startedAt = Date.now();
  private readonly input: ChatInput;
  private readonly state: ChatState;
  private readonly progress: Progress;
  private readonly ledger: Ledger;
  private readonly rules: PermissionRule[];
  private model: string;
  private reasoning: Reasoning;
  private turns: number;
  private child: TurnHandle | null = null;
  private stopping = false;
  private failure: JobResult['reason'];
  /** What there is to build and test, and of which snapshot. */
  private plan: { snapshot: string; hash: string } | null = null;

  constructor(input: ChatInput) {
    this.input = input;
    const { request, soFar } = input;
    this.state = new ChatState(input);
    this.progress = new Progress(this.state);
    this.ledger = new Ledger(soFar?.budget ?? request.budget ?? {});
    this.rules = [...(soFar?.rules ?? request.permissions?.rules ?? [])];
    this.model = soFar?.model ?? request.model!;
    this.reasoning = soFar?.reasoning ?? request.reasoning ?? {};
    this.turns = soFar?.turns ?? 0;
    this.listen();
  }

  async run(): Promise<JobResult> {
    let status: JobResult['status'] = 'succeeded';
    let isFull = false;
    try {
      await this.open();
      isFull = await this.talk();
    } catch (error) {
      status = isCancellation(error) ? 'cancelled' : 'failed';
      this.failure = isCancellation(error)
        ? { code: 'job.cancelled', message: 'the chat was ended; its checkpoints are kept' }
        : { code: failureCode(error), message: failureMessage(error) };
    }
    if (isFull) await continueAsNew<typeof chat>(this.asInput());
    return await CancellationScope.nonCancellable(() => this.finish(status));
  }

  private listen(): void {
    const { state } = this;
    setHandler(messages.sayUpdate, (message) => orWrongState(() => state.hear(message)));
    setHandler(messages.undoUpdate, (undo) => this.undo(undo));
    setHandler(messages.rollbackToUpdate, (checkpointId) => this.undo({ checkpointId, what: 'both' }));
    setHandler(messages.publishUpdate, async () => (state.hasChanged ? (await this.publish()).branch : null));
    setHandler(messages.patchUpdate, async (since) => {
      orWrongState(() => void state.at(since));
      const from = state.at(since).snapshot;
      return await makePatch({ project: this.input.project, from, to: state.point.snapshot });
    });
    setHandler(messages.stopSignal, async () => {
      // Also for a message that is about to be taken up.
      this.stopping = state.current !== null || state.hasWaiting;
      await tellChild(this.child?.signal(messages.stopSignal));
    });
    setHandler(messages.jobStateQuery, () => ({
      status: state.status,
      phase: state.phase,
      checkpoints: state.checkpoints,
      imported: state.imported,
    }));
    setHandler(messages.chatInputQuery, () => this.asInput());
  }

  private async open(): Promise<void> {
    const { project, request, soFar } = this.input;
    const { source, goal } = request;
    // A fork has a log of its own; a run that goes on has said it before.
    const isNew = workflowInfo().continuedFromExecutionRunId === undefined;
    if (isNew) await this.progress.say({ type: 'job.started', goal, location: source.location });
    if (soFar) return isNew ? await this.progress.say() : undefined;
    const summary = `Take a snapshot of ${source.location}`;
    const imported = await importSource.executeWithOptions({ summary }, [{ project, source }]);
    const { head: _, ...checkpoint } = this.state.open(imported);
    await this.progress.say({ type: 'checkpoint.recorded', checkpoint });
  }

  /** Answers messages. True when this run has had its share of them, false after long silence. */
  private async talk(): Promise<boolean> {
    const { state } = this;
    for (let answered = 0; ; answered += 1) {
      if (answered >= messagesPerRun) {
        await finishHandlers();
        if (!state.hasWaiting) return true;
      }
      if (!(await condition(() => state.hasWaiting, idleTime))) return false;
      await this.answer(state.take()!);
    }
  }

  private async answer(message: ChatMessage): Promise<void> {
    const { state, progress } = this;
    this.model = message.model ?? this.model;
    this.reasoning = { ...this.reasoning, ...message.reasoning };
    await progress.say({ type: 'chat.asked', messageId: message.id, text: message.text.slice(0, textInEvents) });
    let result: AgentTurnResult | undefined;
    let failed = '';
    try {
      result = await this.turn(message);
    } catch (error) {
      if (isCancellation(error)) throw error;
      failed = reasonOf(error);
    }
    this.stopping = false;
    const { head: _, ...checkpoint } = state.answered(message, result);
    await progress.say(
      { type: 'checkpoint.recorded', checkpoint },
      {
        type: 'chat.answered',
        messageId: message.id,
        status: result?.status ?? 'failed',
        text: (result?.text ?? failed).slice(0, textInEvents),
        checkpoint: checkpoint.id,
        spending: result?.spending ?? nothingSpent,
      },
    );
  }

  private async turn({ text, attachments }: ChatMessage): Promise<AgentTurnResult> {
    const { state, ledger } = this;
    const { jobId, project, request } = this.input;
    const { snapshot, head } = state.point;
    const plan = await this.planOf(snapshot);
    try {
      const result = await runChildTurn(
        ledger,
        `${jobId}/turn-${(this.turns += 1)}`,
        {
          job: { jobId, project, request },
          phase: request.modes[0]!,
          title: 'Chat',
          models: [this.model, ...(request.fallbackModels ?? []).filter((name) => name !== this.model)],
          snapshot,
          head,
          prompt: text,
          ...(attachments ? { attachments } : {}),
          tools: allTools,
          permissions: { mode: request.permissions?.mode ?? 'auto', rules: this.rules },
          plan,
          inputs: [],
          commit: state.imported!.commit,
          maxModelCalls: mostModelCalls,
          depth: 0,
          reasoning: { ...this.reasoning, purpose: 'chat', failedAttempts: 0, thinking: thinkingAsked(text) },
        },
        {
          summary: text.replace(/\s+/g, ' '),
          started: async (child) => {
            this.child = child;
            if (this.stopping) await tellChild(child.signal(messages.stopSignal));
          },
        },
      );
      this.rules.push(...(result.allowed ?? []));
      return result;
    } finally {
      this.child = null;
    }
  }

  private async planOf(snapshot: string): Promise<string> {
    if (this.plan?.snapshot !== snapshot) {
      const { project, request } = this.input;
      this.plan = { snapshot, hash: (await analyseProject({ project, snapshot, request })).plan };
    }
    return this.plan.hash;
  }

  private async undo(undo: ChatUndo): Promise<void> {
    let point: ReturnType<ChatState['undo']>;
    orWrongState(() => (point = this.state.undo(undo)));
    if (!point) return;
    const { head: _, ...checkpoint } = point;
    await this.progress.say({ type: 'checkpoint.recorded', checkpoint });
  }

  /** What a run, or a chat, needs to go on from here. */
  private asInput(): ChatInput {
    const { jobId, project, request } = this.input;
    const { imported, points, heard } = this.state;
    if (!imported || points.length === 0) return { jobId, project, request };
    const { model, reasoning, rules, turns, spent } = this;
    const said = { points, heard, model, reasoning, rules, turns };
    const soFar: ChatSoFar = { imported, ...said, budget: this.ledger.left(), spent };
    return { jobId, project, request, soFar };
  }

  private get spent(): ChatSoFar['spent'] {
    return addSpending(this.input.soFar?.spent ?? nothingSpent, this.ledger.spent);
  }

  /** The branch may be there already: it is moved. */
  private async publish(): Promise<Published> {
    const { jobId, project, request } = this.input;
    const { imported, checkpoints } = this.state;
    return await publish.executeWithOptions({ summary: `Publish ${jobId}` }, [
      { jobId, project, source: request.source, imported: imported!, goal: '', checkpoints, force: true },
    ]);
  }

  private async finish(decided: JobResult['status']): Promise<JobResult> {
    const { state, progress } = this;
    let status = decided;
    let published: Published = { branch: null, patch: null };
    state.phase = 'publishing';
    try {
      if (state.hasChanged) published = await this.publish();
    } catch (error) {
      status = 'failed';
      this.failure = { code: failureCode(error), message: failureMessage(error) };
    }
    const { spent } = this;
    const result: JobResult = {
      jobId: this.input.jobId,
      workflowId: workflowInfo().workflowId,
      status,
      ...published,
      snapshot: state.points.at(-1)?.snapshot ?? null,
      checkpoints: state.checkpoints,
      phases: {},
      tests: { total: 0, passed: 0, failed: 0, skipped: 0 },
      steps: { run: 0, cached: 0 },
      ...(spent.inputTokens + spent.outputTokens > 0 ? { spending: spent } : {}),
      durationMs: Date.now() - this.startedAt,
      ...(this.failure ? { reason: this.failure } : {}),
    };
    state.final = status;
    await progress.finish({ type: 'job.finished', result });
    await finishHandlers();
    return result;
  }
}

/** The sentence within a turn that broke. */
function reasonOf(error: unknown): string {
  if (error instanceof ChildWorkflowFailure && error.cause) return reasonOf(error.cause);
  if (error instanceof ActivityFailure && error.cause) return reasonOf(error.cause);
  return failureMessage(error);
}

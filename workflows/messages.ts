import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { Budget, PendingCall, PermissionRule, Spending } from '../contracts/agent.ts';
import type { Attachment } from '../contracts/attachment.ts';
import type { ChatMessage, ChatUndo } from '../contracts/chat.ts';
import type { Checkpoint, JobStatus } from '../contracts/job.ts';
import type { WorkItemView } from '../contracts/plan.ts';
import type { ImportedSource } from '../contracts/snapshot.ts';
import type { ChatInput } from '../contracts/workflow.ts';

// Sent to devJob. Each is idempotent: saying it twice is the same as saying it once.
export const approveUpdate = defineUpdate<void>('approve');
export const rejectUpdate = defineUpdate<void, [reason: string]>('reject');
export const pauseUpdate = defineUpdate<void>('pause');
export const resumeUpdate = defineUpdate<void>('resume');
export const rollbackToUpdate = defineUpdate<void, [checkpointId: string]>('rollbackTo');
export const jobStateQuery = defineQuery<JobStateView>('jobState');

// Sent by devJob to the mode that is running.
export const pauseSignal = defineSignal('pause');
export const resumeSignal = defineSignal('resume');

// Sent by a mode to the devJob that started it.
export const checkpointSignal = defineSignal<[Omit<Checkpoint, 'id'>]>('checkpoint');
/** Work items whose state is another: a known one takes the place of the one with its id. */
export const workItemsSignal = defineSignal<[WorkItemView[]]>('workItems');

// Sent to agentTurn; `stop` also to a mode, for all its agents. The first decision and the first answer on a call count.
export const decideCallUpdate = defineUpdate<void, [CallDecision]>('decideCall');
export const answerQuestionUpdate = defineUpdate<void, [callId: string, answer: string]>('answerQuestion');
export const raiseBudgetUpdate = defineUpdate<void, [more: Budget]>('raiseBudget');
export const steerSignal = defineSignal<[text: string, attachments?: Attachment[]]>('steer');
export const stopSignal = defineSignal('stop');
export const turnStateQuery = defineQuery<TurnStateView>('turnState');

// Sent to chat, which takes `rollbackTo`, `jobState` and `stop` too. A message said twice is one.
export const sayUpdate = defineUpdate<void, [ChatMessage]>('say');
export const undoUpdate = defineUpdate<void, [ChatUndo]>('undo');
/** The branch that now holds the chat's files. */
export const publishUpdate = defineUpdate<string | null>('publish');
/** Blob hash of the patch from a checkpoint to now; null when nothing changed. */
export const patchUpdate = defineUpdate<string | null, [since: string]>('patch');
/** What another chat goes on from; without `soFar` until the source is imported. */
export const chatInputQuery = defineQuery<ChatInput>('chatInput');

export interface CallDecision {
  callId: string;
  allowed: boolean;
  reason?: string;
  /** What is not to be asked for again in this turn. */
  always?: PermissionRule;
}

export interface TurnStateView {
  head: string;
  snapshot: string;
  pending: PendingCall | null;
  spent: Spending;
}

export interface JobStateView {
  status: JobStatus;
  phase: string | null;
  checkpoints: Checkpoint[];
  /** Null until the source is imported. */
  imported: ImportedSource | null;
}

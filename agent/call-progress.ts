import type { BlobStore } from '../blobs/blob-store.ts';
import type { PendingCall, PlanItem, ToolCallSummary, ToolsInput } from '../contracts/agent.ts';
import { HelixError } from '../contracts/error.ts';
import type { ToolResultPart } from '../contracts/llm.ts';
import type { SnapshotId } from '../contracts/snapshot.ts';

/** How far the calls of one message are answered; kept as a blob while somebody else is at work. */
export interface CallProgress {
  /** Of the message with the calls. */
  head: string;
  snapshot: SnapshotId;
  /** In the order of the calls. */
  results: ToolResultPart[];
  calls: ToolCallSummary[];
  plan?: PlanItem[];
  /** Blob hash of proposed work items. */
  work?: string;
  /** The user has allowed the call that comes next. */
  isApproved: boolean;
  /** What the call that comes next waits for. */
  waitsFor?: PendingCall['type'];
}

/** Throws HelixError `artifact.not-found`, or `internal` when the progress belongs to another message. */
export async function readProgress(blobs: BlobStore, { head, snapshot, progress }: ToolsInput): Promise<CallProgress> {
  if (progress === null) return { head, snapshot, results: [], calls: [], isApproved: false };
  const blob = await blobs.get(progress);
  if (!blob) {
    throw new HelixError('artifact.not-found', `the progress ${progress} of an agent's calls is not in the blob store`);
  }
  const found = JSON.parse(blob.toString()) as CallProgress;
  if (found.head === head) return found;
  throw new HelixError('internal', `the progress ${progress} belongs to the message ${found.head}, not to ${head}`);
}

export async function writeProgress(blobs: BlobStore, progress: CallProgress): Promise<string> {
  return blobs.put(JSON.stringify(progress));
}

import type { HelixClient } from '../../client/client.ts';
import { type ErrorCode, errorCodes, HelixError } from '../../contracts/error.ts';
import type { JobEvent } from '../../contracts/event.ts';
import type { JobResult } from '../../contracts/job.ts';
import { isFinalJobStatus } from '../../contracts/derived.ts';
import { JsonView } from '../view/json-view.ts';
import { LiveView } from '../view/live-view.ts';
import { PlainView } from '../view/plain-view.ts';
import type { View } from '../view/view.ts';
import { askForApproval } from './ask-for-approval.ts';
import { usageOf } from './usage-of.ts';

export const waitingExitCode = 5;
const interruptedExitCode = 130;

export interface AttachOptions {
  json: boolean;
  /**
   * What to do when the job waits for an approval: ask where there is somebody to ask and leave otherwise, or just go on
   * watching.
   */
  onApproval: 'ask' | 'watch';
}

/** Shows a job until it ends, is detached from with Ctrl-C, or waits for an approval nobody here can give. Returns the exit code. */
export async function attach(client: HelixClient, jobId: string, options: AttachOptions): Promise<number> {
  const detach = new AbortController();
  const onInterrupt = () => detach.abort();
  // Once: a second Ctrl-C ends the process at once, should anything here hang.
  process.once('SIGINT', onInterrupt);
  const view = createView(options.json);
  try {
    return await follow(client, jobId, options, view, detach.signal);
  } catch (error) {
    view.close();
    if (detach.signal.aborted) {
      process.stderr.write(
        `\ndetached: ${jobId} goes on; "helix watch ${jobId}" comes back to it, "helix cancel ${jobId}" ends it\n`,
      );
      return interruptedExitCode;
    }
    if (error instanceof HelixError && error.code === 'stack.unreachable') {
      process.stderr.write(`the job goes on when the stack does: "helix watch ${jobId}" comes back to it\n`);
    }
    throw error;
  } finally {
    view.close();
    process.off('SIGINT', onInterrupt);
  }
}

async function follow(
  client: HelixClient,
  jobId: string,
  options: AttachOptions,
  view: View,
  signal: AbortSignal,
): Promise<number> {
  for await (const event of client.watchJob(jobId, { signal, onRetry: ({ awayMs }) => view.away(awayMs) })) {
    view.event(event);
    if (event.data.type === 'model.asked' && view.words) void showWords(client, view, event.data, jobId, signal);
    if (event.data.type !== 'job.waiting-for-approval' || options.onApproval !== 'ask') continue;
    if (!(await isStillWaiting(client, event))) continue;
    view.suspend();
    if (!options.json && process.stdin.isTTY && process.stdout.isTTY) {
      if (await askForApproval(client, jobId, event.data.plan, signal)) continue;
    }
    process.stderr.write(
      `${jobId} waits for an approval of its plan: "helix approve ${jobId}" or "helix reject ${jobId}", then "helix watch ${jobId}"\n`,
    );
    return waitingExitCode;
  }
  const job = await client.getJob(jobId);
  if (!job.result)
    throw new HelixError('internal', `${jobId} has ended without a result: "helix show ${jobId}" shows what is known`);
  view.summary(job, job.result, await usageOf(client, jobId));
  return resultExitCode(job.result);
}

/** Follows an answer beside the events; what cannot be read of it comes whole with its end. */
async function showWords(
  client: HelixClient,
  view: View,
  { callId }: { callId: string },
  jobId: string,
  signal: AbortSignal,
): Promise<void> {
  let text = '';
  try {
    for await (const piece of client.followAnswer(jobId, callId, { signal })) {
      if (piece.type === 'restarted') text = '';
      if (piece.type === 'text' || piece.type === 'thinking') text += piece.text;
      view.words?.(callId, text);
    }
  } catch (error) {
    if (!(error instanceof HelixError) && !signal.aborted) throw error;
  }
}

function createView(json: boolean): View {
  if (json) return new JsonView();
  return process.stdout.isTTY ? new LiveView(process.stdout) : new PlainView();
}

/** Whether the event is the latest word: an old one is read again by whoever comes back to a job. */
async function isStillWaiting(client: HelixClient, event: JobEvent): Promise<boolean> {
  const job = await client.getJob(event.jobId);
  if (isFinalJobStatus(job.status)) return false;
  return job.status === 'waiting-for-approval' || job.lastSeq === event.seq;
}

/** 0 succeeded, 4 cancelled or rejected, 1 failed, or 2 when it failed for what the user asked. */
export function resultExitCode({ status, reason }: Pick<JobResult, 'status' | 'reason'>): number {
  if (status === 'succeeded') return 0;
  if (status === 'cancelled' || status === 'rejected') return 4;
  const known = reason && Object.hasOwn(errorCodes, reason.code) ? errorCodes[reason.code as ErrorCode].exitCode : 1;
  return known === 2 ? 2 : 1;
}

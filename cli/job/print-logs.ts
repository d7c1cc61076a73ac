import { once } from 'node:events';
import type { HelixClient } from '../../client/client.ts';
import type { StepView } from '../../contracts/job.ts';
import { cleanLine } from '../text/clean.ts';
import { style } from '../text/style.ts';

/** The log of one step, byte for byte. */
export async function printLog(client: HelixClient, jobId: string, step: number, follow: boolean): Promise<void> {
  for await (const chunk of client.stepLog(jobId, step, { follow })) await write(chunk);
}

/** The logs of all steps so far, one after the other, each under a heading. */
export async function printAllLogs(client: HelixClient, jobId: string): Promise<void> {
  for (const step of await client.listSteps(jobId)) {
    const where = step.cached ? 'from the cache' : step.node ? `on ${step.node}` : 'on no node yet';
    await write(style('bold', `── step ${step.number}: ${cleanLine(step.title)} (${step.state}, ${where})`) + '\n');
    let endsLine = true;
    for await (const chunk of client.stepLog(jobId, step.number)) {
      endsLine = chunk.at(-1) === newline;
      await write(chunk);
    }
    if (!endsLine) await write('\n');
  }
}

/** The logs of all steps as they grow, until the job has ended: whole lines, each with the number of its step. */
export async function followAllLogs(client: HelixClient, jobId: string): Promise<void> {
  const followed = new Map<number, Promise<void>>();
  let failure: unknown;
  const followNew = async () => {
    for (const step of await client.listSteps(jobId)) {
      if (followed.has(step.number)) continue;
      const done = followLines(client, jobId, step).catch((error: unknown) => {
        failure ??= error;
      });
      followed.set(step.number, done);
    }
  };
  await followNew();
  for await (const { data } of client.watchJob(jobId)) {
    // A step answered from the cache finishes without having started.
    if (data.type === 'step.started' || data.type === 'step.finished') await followNew();
  }
  await followNew();
  await Promise.all(followed.values());
  if (failure) throw failure;
}

const newline = 0x0a;

async function followLines(client: HelixClient, jobId: string, step: StepView): Promise<void> {
  const prefix = style('dim', `[${step.number} ${step.taskId}]`);
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of client.stepLog(jobId, step.number, { follow: true })) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop()!;
    if (lines.length > 0) await write(lines.map((line) => `${prefix} ${line}\n`).join(''));
  }
  if (rest) await write(`${prefix} ${rest}\n`);
}

async function write(text: string | Uint8Array): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}

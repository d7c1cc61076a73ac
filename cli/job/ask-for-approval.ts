import { createInterface } from 'node:readline/promises';
import type { HelixClient } from '../../client/client.ts';
import { HelixError } from '../../contracts/error.ts';
import { clean } from '../text/clean.ts';

/** Shows the plan and asks for a decision. False when the user leaves it open. `plan` stands in for a plan that is not stored. */
export async function askForApproval(
  client: HelixClient,
  jobId: string,
  plan: string,
  signal: AbortSignal,
): Promise<boolean> {
  process.stdout.write(`\n${clean(await readPlan(client, jobId, plan)).trimEnd()}\n\n`);
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  // The terminal is in raw mode here, and Ctrl-C comes as a key.
  terminal.on('SIGINT', () => process.emit('SIGINT'));
  // Ctrl-D: without this the question would stay open for ever.
  const closed = new AbortController();
  terminal.once('close', () => closed.abort());
  const ask = async (question: string) =>
    (await terminal.question(question, { signal: AbortSignal.any([signal, closed.signal]) })).trim();
  try {
    for (;;) {
      const answer = (await ask('Approve this plan? [y]es, [n]o, [l]ater: ')).toLowerCase();
      if (answer === 'y' || answer === 'yes') {
        await client.approve(jobId);
        return true;
      }
      if (answer === 'n' || answer === 'no') {
        const reason = await ask('Why not? (may be left empty) ');
        await client.reject(jobId, reason || undefined);
        return true;
      }
      if (answer === 'l' || answer === 'later') return false;
    }
  } catch (error) {
    if (closed.signal.aborted && !signal.aborted) return false;
    throw error;
  } finally {
    terminal.close();
  }
}

async function readPlan(client: HelixClient, jobId: string, plan: string): Promise<string> {
  try {
    return (await client.readArtifact(jobId, 'plan.md')).toString('utf8');
  } catch (error) {
    if (error instanceof HelixError && error.code === 'artifact.not-found') return plan;
    throw error;
  }
}

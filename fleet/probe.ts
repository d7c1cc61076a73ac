import { HelixError } from '../contracts/error.ts';
import { type NodeFacts, nodeFactsSchema } from '../contracts/node.ts';
import type { RpcConnection } from './wire/connection.ts';

/** The agent answers within half a minute, whatever hangs on its machine. */
const probeTimeoutMs = 60_000;
const pings = 3;

/**
 * Asks an agent what its machine has, and measures the way there. Throws `node.unreachable` when there is no answer within a minute and
 * `node.unsuitable` when the answer makes no sense.
 */
export async function probeAgent(connection: RpcConnection, name: string): Promise<NodeFacts> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const seconds = probeTimeoutMs / 1000;
    const error = new HelixError('node.unreachable', `${name} did not say within ${seconds} s what it has`);
    timer = setTimeout(() => reject(error), probeTimeoutMs);
  });
  try {
    const answer = await Promise.race([connection.call<unknown>('probe'), late]);
    const parsed = nodeFactsSchema.safeParse(answer);
    if (parsed.success) return { ...parsed.data, latencyMs: await Promise.race([measureLatency(connection), late]) };
    const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'the answer'}: ${message}`);
    throw new HelixError(
      'node.unsuitable',
      `${name} answered with something that is no description of a machine (${issues.slice(0, 3).join('; ')})`,
    );
  } finally {
    clearTimeout(timer);
  }
}

/** The middle one of a few. */
async function measureLatency(connection: RpcConnection): Promise<number> {
  const times: number[] = [];
  for (let index = 0; index < pings; index += 1) {
    const sent = performance.now();
    await connection.call('ping', {});
    times.push(performance.now() - sent);
  }
  return Math.round(times.sort((a, b) => a - b)[Math.floor(pings / 2)]! * 100) / 100;
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Client, ClientChannel } from 'ssh2';
import { HelixError } from '../../contracts/error.ts';

export interface ExecResult {
  /** Null when the connection or a signal ended it. */
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

/** Opens a channel for a command. A server at its limit of channels (MaxSessions) is asked again for a while. */
export async function openChannel(client: Client, command: string): Promise<ClientChannel> {
  for (let retry = 0; ; retry += 1) {
    try {
      return await new Promise((resolve, reject) => {
        const lost = (): void => reject(new HelixError('node.unreachable', 'the connection was lost'));
        client.once('close', lost);
        client.exec(command, (error, channel) => {
          client.off('close', lost);
          if (error) reject(error);
          else resolve(channel);
        });
      });
    } catch (error) {
      if (!/channel open failure/i.test((error as Error).message) || retry >= 20) throw error;
      await sleep(20 + 10 * retry);
    }
  }
}

/**
 * Runs a command to its end with the given stdin. Both outputs are drained, since otherwise the channel never closes; each is kept
 * up to 1 MiB. Throws `node.unreachable` when it takes longer than `timeoutMs`.
 */
export async function execSsh(
  client: Client,
  command: string,
  input: Readable | string,
  timeoutMs: number,
): Promise<ExecResult> {
  const channel = await openChannel(client, command);
  const stdout = collect(channel);
  const stderr = collect(channel.stderr);
  // Not of the event `exit`: of a command that ends at once it comes in one go with the answer that opened the channel, before anybody can listen.
  const closed = new Promise<number | null>((resolve) => {
    channel.once('close', (code: number | null | undefined) => resolve(code ?? null));
  });
  channel.on('error', () => {});
  let timedOut = false;
  const timeout = setTimeout(() => {
    timedOut = true;
    channel.destroy();
  }, timeoutMs);
  try {
    if (typeof input === 'string') channel.end(input);
    // A command that ends early closes its stdin; its exit code tells why.
    else await pipeline(input, channel.stdin).catch(() => {});
    const exitCode = await closed;
    if (timedOut)
      throw new HelixError(
        'node.unreachable',
        `a command on the node took longer than ${timeoutMs / 1000} s: ${command.slice(0, 80)}`,
      );
    return { exitCode, stdout: stdout(), stderr: stderr() };
  } finally {
    clearTimeout(timeout);
  }
}

function collect(stream: Readable): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= 1 << 20) chunks.push(chunk);
  });
  return () => Buffer.concat(chunks).toString();
}

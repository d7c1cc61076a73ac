import type { Readable, Writable } from 'node:stream';
import { HelixError } from '../contracts/error.ts';
import { type ConfigureRequest, readyLine } from './agent/protocol.ts';
import type { AgentLink } from './node-link.ts';
import { ConnectionLost, RpcConnection } from './wire/connection.ts';

const startTimeoutMs = 20_000;

export interface AgentStreams {
  /** The agent's stdout. */
  input: Readable;
  /** The agent's stdin. */
  output: Writable;
  /** Settles with the reason when the agent or its channel has ended. */
  ended: Promise<string>;
  close(): void;
}

/**
 * Waits for the agent's ready line, passing over what start-up files print before it, and speaks frames from there on.
 * Throws `node.unreachable` with the last words of what came instead.
 */
export async function startAgent(streams: AgentStreams, request: ConfigureRequest): Promise<AgentLink> {
  const { name } = request;
  const { input, output, ended, close } = streams;
  // Reported through `ended` or the connection; unhandled it would end the process.
  output.on('error', () => {});
  try {
    const rest = await untilReady(input, ended, name);
    if (rest.length > 0) input.unshift(rest);
    const connection = new RpcConnection(input, output);
    void ended.then((reason) => connection.close(new ConnectionLost(reason)));
    connection.onClose(() => close());
    await connection.call('configure', request);
    return { connection, close };
  } catch (error) {
    close();
    throw error;
  }
}

function untilReady(input: Readable, ended: Promise<string>, name: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let seen: Buffer = Buffer.alloc(0);
    const fail = (reason: string): void => {
      stop();
      const words = seen.toString().trim().split('\n').slice(-3).join(' / ');
      reject(
        new HelixError(
          'node.unreachable',
          `the agent on ${name} did not start: ${reason}${words ? `; it said: ${words}` : ''}`,
        ),
      );
    };
    const take = (chunk: Buffer): void => {
      seen = Buffer.concat([seen, chunk]);
      const at = seen.indexOf(readyLine);
      if (at < 0) return;
      stop();
      resolve(seen.subarray(at + readyLine.length));
    };
    const timer = setTimeout(() => fail(`no answer within ${startTimeoutMs / 1000} s`), startTimeoutMs);
    const stop = (): void => {
      clearTimeout(timer);
      input.off('data', take);
      input.pause();
    };
    input.on('data', take);
    void ended.then(fail);
  });
}

import type { Readable, Writable } from 'node:stream';
import { HelixError } from '../contracts/error.ts';
import { lastWords } from './last-words.ts';
import { type ConfigureRequest, readyLine } from './agent/protocol.ts';
import type { AgentLink } from './node-link.ts';
import { ConnectionLost, RpcConnection } from './wire/connection.ts';

const startTimeoutMs = 20_000;
/** More than start-up files print; whoever sends more before the ready line is no agent. */
const mostBeforeReady = 1 << 20;

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
    await configure(connection, request);
    return { connection, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** What has said that it is ready and then says nothing, or what is no answer, is no agent either. */
async function configure(connection: RpcConnection, request: ConfigureRequest): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${startTimeoutMs / 1000} s`)), startTimeoutMs);
  });
  try {
    await Promise.race([connection.call('configure', request), late]);
  } catch (error) {
    if (error instanceof HelixError) throw error;
    const reason = lastWords((error as Error).message);
    throw new HelixError('node.unreachable', `the agent on ${request.name} did not start: ${reason}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

function untilReady(input: Readable, ended: Promise<string>, name: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let seen: Buffer = Buffer.alloc(0);
    const fail = (reason: string): void => {
      stop();
      const words = lastWords(seen.toString(), 3);
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
      if (at < 0) {
        if (seen.length > mostBeforeReady) fail('it sends something else');
        return;
      }
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

import { readFile } from 'node:fs/promises';
import { type Readable, Writable } from 'node:stream';
import { HelixError } from '../contracts/error.ts';
import type { ProgramEvent, ProgramOutcome, ProgramRequest, StartRequest } from './agent/programs.ts';
import type { NodeLink } from './node-link.ts';
import type { RpcCall, RpcConnection } from './wire/connection.ts';

/** A program of Helix's own as one file, by `bundleProgram`. */
export interface NodeProgram {
  name: string;
  file: string;
  sha256: string;
}

/** A program that runs on a node, by its input and output. */
export interface RunningProgram {
  /** What it writes. */
  input: Readable;
  /** What it reads. */
  output: Writable;
  /** Settles with the reason when it has ended, or the connection to it. */
  ended: Promise<string>;
  /** Ends it. */
  close(): void;
}

/** Starts a program on a node, and brings it there first where it is not. Throws `node.lost`. */
export function openProgram(link: NodeLink, name: string, program: NodeProgram): Promise<RunningProgram> {
  return link.use((connection) => startProgram(connection, name, program));
}

/** The same over a connection. `words` are what the program is told when it starts, beside its folder. */
export async function startProgram(
  connection: RpcConnection,
  name: string,
  program: NodeProgram,
  words?: string[],
): Promise<RunningProgram> {
  const running = await start(connection, name, program, words);
  if (running) return running;
  await send(connection, program);
  const again = await start(connection, name, program, words);
  if (again) return again;
  throw new HelixError('node.lost', `${name} has lost the program ${program.name} that it was just sent`);
}

async function start(
  connection: RpcConnection,
  node: string,
  { name, sha256 }: NodeProgram,
  words: string[] = [],
): Promise<RunningProgram | undefined> {
  const call = connection.open<ProgramOutcome>('runProgram', { name, sha256, words } satisfies StartRequest);
  const started = new Promise<true>((resolve) => call.channel.onEvent((_event: ProgramEvent) => resolve(true)));
  const first = await Promise.race([started, call.result]);
  if (first === true) return streamsOf(call);
  if (first.missing) return undefined;
  throw new HelixError('node.lost', `${name} did not start on ${node} (${first.how})`);
}

function streamsOf({ channel, result, abort }: RpcCall<ProgramOutcome>): RunningProgram {
  const output = new Writable({
    write: (chunk: Buffer, _encoding, done) => void channel.send(chunk).then(() => done(), done),
  });
  // Told by `ended`; unhandled it would end the process.
  output.on('error', () => {});
  return {
    input: channel.incoming,
    output,
    ended: result.then(
      ({ how }) => how,
      (error: unknown) => (error as Error).message,
    ),
    close: abort,
  };
}

async function send(connection: RpcConnection, { name, sha256, file }: NodeProgram): Promise<void> {
  const call = connection.open('receiveProgram', { name, sha256 } satisfies ProgramRequest);
  await call.channel.send(await readFile(file));
  call.channel.end();
  await call.result;
}

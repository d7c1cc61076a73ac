import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { HelixError } from '../../contracts/error.ts';
import type { RpcChannel } from '../wire/channel.ts';
import type { RpcHandler } from '../wire/connection.ts';
import { detectLoginEnvironment } from './environment.ts';

/** A program of Helix's own that runs on a node beside the agent: one file for Node, known by its hash. */
export interface ProgramRequest {
  /** Of the file: small letters and dashes. */
  name: string;
  sha256: string;
}

export interface StartRequest extends ProgramRequest {
  /** What the program is told, before its folder. */
  words: string[];
}

export interface ProgramOutcome {
  /** The node does not have it: it has to be sent first. */
  missing?: true;
  /** How it ended, with its last words. */
  how: string;
}

/** From the agent while a program runs. */
export interface ProgramEvent {
  type: 'started';
}

const lastWordsLength = 1000;
/** What a program is given to end by itself once its input has ended. */
const graceMs = 3000;

/**
 * The agent's part in programs: they are kept by their hash, run as children, and their input and output are those of the call. A program sees the
 * end of its input when the call is given up, the connection is lost or the agent dies, and has to end then.
 */
export class Programs {
  readonly #root: string;
  readonly #hold: (file: string) => () => void;

  /** `hold` keeps a file from being evicted; it returns what ends that. */
  constructor(root: string, hold: (file: string) => () => void = () => () => {}) {
    this.#root = root;
    this.#hold = hold;
  }

  handlers(): Record<string, RpcHandler> {
    return {
      receiveProgram: (request: ProgramRequest, channel) => this.#receive(request, channel),
      runProgram: (request: StartRequest, channel) => this.#run(request, channel),
    };
  }

  #file({ name, sha256 }: ProgramRequest): string {
    if (!/^[a-z-]+$/.test(name) || !/^[0-9a-f]{64}$/.test(sha256))
      throw new HelixError('internal', `${JSON.stringify(name)} cannot be the name of a program`);
    return join(this.#root, 'bin', `${name}-${sha256.slice(0, 16)}.mjs`);
  }

  async #receive(request: ProgramRequest, channel: RpcChannel): Promise<void> {
    const file = this.#file(request);
    const chunks: Buffer[] = [];
    for await (const chunk of channel.incoming as AsyncIterable<Buffer>) chunks.push(chunk);
    const content = Buffer.concat(chunks);
    if (createHash('sha256').update(content).digest('hex') !== request.sha256)
      throw new HelixError('node.lost', `the program ${request.name} did not arrive whole`);
    mkdirSync(dirname(file), { recursive: true });
    const draft = `${file}.${randomBytes(6).toString('hex')}`;
    try {
      await writeFile(draft, content);
      await rename(draft, file);
    } finally {
      await rm(draft, { force: true });
    }
  }

  async #run(request: StartRequest, channel: RpcChannel): Promise<ProgramOutcome> {
    const file = this.#file(request);
    if (!existsSync(file)) return { missing: true, how: 'it is not there' };
    const release = this.#hold(file);
    try {
      return await this.#start(file, request.words, channel);
    } finally {
      release();
    }
  }

  async #start(file: string, words: string[], channel: RpcChannel): Promise<ProgramOutcome> {
    const login = await detectLoginEnvironment();
    channel.signal.throwIfAborted();
    const child = spawn(process.execPath, [file, ...words, '--root', this.#root], {
      cwd: this.#root,
      env: { ...process.env, ...login.passed, PATH: login.path },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    return await relay(child, channel);
  }
}

async function relay(child: ChildProcessWithoutNullStreams, channel: RpcChannel): Promise<ProgramOutcome> {
  let lastWords = '';
  child.stderr
    .setEncoding('utf8')
    .on('data', (text: string) => (lastWords = (lastWords + text).slice(-lastWordsLength)));
  // A program that ends early closes its input; how it ended is told by its end.
  child.stdin.on('error', () => {});
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  let kill: NodeJS.Timeout | undefined;
  const end = (): void => {
    child.stdin.destroy();
    kill ??= setTimeout(() => child.kill('SIGKILL'), graceMs);
  };
  channel.signal.addEventListener('abort', end, { once: true });
  channel.event({ type: 'started' } satisfies ProgramEvent);
  channel.incoming.pipe(child.stdin);
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => void channel.send(chunk).then(() => done(), done),
  });
  // Broken off when the caller has gone: then the end of the program is all that counts.
  const sent = pipeline(child.stdout, sink).catch(() => child.stdout.resume());
  try {
    const how = await ended;
    await sent;
    const words = lastWords.trim().replace(/\s+/g, ' ');
    return { how: words === '' ? how : `${how}: ${words}` };
  } finally {
    clearTimeout(kill);
    channel.signal.removeEventListener('abort', end);
  }
}

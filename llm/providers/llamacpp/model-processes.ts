import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { HelixError } from '../../../contracts/error.ts';
import { contextWithin, neededBytes } from '../../local/fit.ts';
import { freeMemory } from '../../local/free-memory.ts';
import { readGguf } from '../../local/gguf.ts';
import type { OnProgress } from '../../local/progress.ts';
import { filesOfSplit } from '../../local/split.ts';
import type { Build } from './builds.ts';
import { contextOf } from './model-info.ts';
import { ModelProcess, ModelProcessError } from './model-process.ts';
import { ensureRuntime, type RuntimeSource } from './runtime.ts';

export interface ProcessOptions {
  home: string;
  /** The best first. */
  builds: readonly Build[];
  contextTokens?: number | undefined;
  threads?: number | undefined;
  idleMs: number;
  onProgress: OnProgress;
  /** Of a model's process, where it is not that of the installation. */
  program?: readonly [string, ...string[]];
  elsewhere?: RuntimeSource;
  /** Bytes that are free now. */
  free?: () => number;
}

const leastContext = 2_048;

interface Running {
  process: Promise<ModelProcess>;
  users: number;
  idle?: NodeJS.Timeout;
}

/** The processes of the models in use: each is started when it is first wanted, and stopped when nobody has wanted it for a while. */
export class ModelProcesses {
  readonly #options: ProcessOptions;
  readonly #running = new Map<string, Running>();
  #closed = false;

  constructor(options: ProcessOptions) {
    this.#options = options;
  }

  /**
   * The process of a model, and what gives it back. Throws `llm.overloaded` when there is no memory for it now, `llm.unsupported` when there never
   * will be or the machine has no build, and what fetching llama.cpp throws.
   */
  async acquire(model: string, file: string, signal: AbortSignal): Promise<{ process: ModelProcess; release(): void }> {
    if (this.#closed) throw new HelixError('llm.unavailable', 'llama.cpp is being stopped');
    let running = this.#running.get(file);
    if (!running) {
      const started: Running = { process: this.#start(model, file), users: 0 };
      running = started;
      this.#running.set(file, started);
      const forget = (): void => {
        if (this.#running.get(file) === started) this.#running.delete(file);
        clearTimeout(started.idle);
      };
      started.process.then((process) => process.ended.then(forget), forget);
    }
    const used = running;
    used.users += 1;
    clearTimeout(used.idle);
    const release = (): void => {
      used.users -= 1;
      // One that died was forgotten, and another may have its place.
      if (used.users > 0 || this.#running.get(file) !== used) return;
      used.idle = setTimeout(() => void this.#stop(file), this.#options.idleMs);
      used.idle.unref();
    };
    try {
      const process = await aborted(used.process, signal);
      return { process, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#running.keys()].map((file) => this.#stop(file)));
  }

  async #stop(file: string): Promise<void> {
    const running = this.#running.get(file);
    if (!running) return;
    this.#running.delete(file);
    clearTimeout(running.idle);
    await running.process.then((process) => process.stop()).catch(() => undefined);
  }

  async #start(model: string, file: string): Promise<ModelProcess> {
    const { home, builds, threads, onProgress, program, elsewhere } = this.#options;
    if (builds.length === 0)
      throw new HelixError(
        'llm.unsupported',
        `there is no llama.cpp for ${process.platform}-${process.arch}: run the model with ollama, or on another machine`,
      );
    const contextTokens = await this.#fittingContext(model, file);
    let failure: unknown;
    for (const build of builds) {
      const runtime = await ensureRuntime(home, build, onProgress, undefined, elsewhere);
      try {
        const task = { runtime, model: file, gpu: build.gpu, contextTokens };
        return await ModelProcess.load({ ...task, ...(threads === undefined ? {} : { threads }) }, program);
      } catch (error) {
        failure = error;
        // A driver that is too old, or a card whose memory is taken: the processor still can.
        const mayHelp = error instanceof ModelProcessError && error.reason !== 'model';
        if (!mayHelp) break;
      }
    }
    throw loadError(model, file, failure);
  }

  /** How much context there is memory for now. Models in use elsewhere are left alone, idle ones make room. */
  async #fittingContext(model: string, file: string): Promise<number> {
    const { contextTokens: wished, free = freeMemory } = this.#options;
    const facts = await readGguf(file);
    const bytes = await sizeOfModel(file);
    const most = contextOf(facts, wished);
    const size = { bytes, cacheBytesPerToken: facts.cacheBytesPerToken, contextTokens: most };
    const least = wished === undefined ? Math.min(leastContext, most) : most;
    if (contextWithin(size, free()) < most) await this.#stopIdle();
    const fits = contextWithin(size, free());
    if (fits >= least) return fits;
    const needed = gigabytes(neededBytes(size, least));
    throw new HelixError(
      'llm.overloaded',
      `llamacpp/${model} needs ${needed} of memory with a context of ${least} tokens, and ${gigabytes(Math.max(0, free()))} are free: ` +
        'end something, choose a smaller model ("helix models recommend"), or set llm.llamacpp.contextTokens lower',
      { details: { provider: 'llamacpp', model } },
    );
  }

  async #stopIdle(): Promise<void> {
    const idle = [...this.#running].filter(([, { idle: timer, users }]) => users === 0 && timer !== undefined);
    await Promise.all(idle.map(([file]) => this.#stop(file)));
  }
}

async function sizeOfModel(file: string): Promise<number> {
  const sizes = filesOfSplit(basename(file)).map(async (name) => (await stat(join(dirname(file), name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

function loadError(model: string, file: string, failure: unknown): unknown {
  if (!(failure instanceof ModelProcessError)) return failure;
  const details = { provider: 'llamacpp', model };
  const { reason, message } = failure;
  if (reason === 'memory')
    return new HelixError('llm.overloaded', `there is not enough memory for llamacpp/${model} now (${message})`, {
      details,
    });
  if (reason === 'no-build')
    return new HelixError(
      'llm.unsupported',
      `llama.cpp does not run on this machine (${message}): use ollama instead`,
      { details },
    );
  if (reason === 'ended')
    return new HelixError('llm.unavailable', `llamacpp/${model} could not be started: ${message}`, { details });
  return new HelixError(
    'llm.unsupported',
    `llama.cpp cannot load ${file} (${message}): the file is damaged, or of a kind of model that it does not know`,
    { details },
  );
}

function gigabytes(bytes: number): string {
  return bytes < 1e9 ? `${Math.ceil(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

/** What is waited for goes on, for others who may want it too. */
async function aborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: ending, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, ending]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

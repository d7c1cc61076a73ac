import { type ChildProcess, fork } from 'node:child_process';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { FromModel, GenerateTask, LoadTask, ModelEvent, ModelStop, ModelUsage, ToModel } from './wire.ts';

/** What a model's process is started with: a file for Node, and its arguments. */
const usualProgram = [fileURLToPath(new URL('./model-main.ts', import.meta.url))] as const;

/** What the libraries of graphics cards and the system need; secrets of the environment do not go there. */
const passedOn =
  /^(PATH|HOME|TMPDIR|TEMP|TMP|LANG|LC_.*|LD_LIBRARY_PATH|DYLD_.*|SystemRoot|CUDA_.*|NVIDIA_.*|GGML_.*|VK_.*|XDG_.*|OMP_.*)$/;

/** The process is no more, or never did what it was to do. */
export class ModelProcessError extends Error {
  readonly reason:
    'ended' | Extract<FromModel, { type: 'load-failed' }>['reason'] | Extract<FromModel, { type: 'failed' }>['reason'];

  constructor(reason: ModelProcessError['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}

type OnAnswer = (message: Extract<FromModel, { id: number }>) => void;

/** A process with one model in it. It may be killed at any time: whatever it was asked fails, and nothing else. */
export class ModelProcess {
  contextTokens = 0;
  gpu: string | false = false;
  /** Settles when the process is no more. */
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  readonly #answers = new Map<number, OnAnswer>();
  #lastId = 0;
  #busy = 0;
  #lastWords = '';
  #end: ModelProcessError | undefined;

  private constructor([program, ...args]: readonly [string, ...string[]]) {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => passedOn.test(name)));
    this.#child = fork(program, args, {
      env,
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(-500);
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    const onEnd = (how: string): void => {
      if (this.#end) return;
      const words = this.#lastWords.trim().replace(/\s+/g, ' ');
      this.#end = new ModelProcessError('ended', `its process ended (${how}${words === '' ? '' : `: ${words}`})`);
      for (const [id, answer] of this.#answers) answer({ type: 'failed', id, reason: 'error', message: '' });
      resolve();
    };
    this.#child.once('error', (error) => onEnd(error.message));
    this.#child.once('exit', (code, signal) => onEnd(signal ?? `exit code ${code}`));
    this.#child.on('message', (message: FromModel) => {
      if ('id' in message) this.#answers.get(message.id)?.(message);
    });
  }

  /** Throws ModelProcessError. */
  static async load(
    task: Omit<LoadTask, 'type'>,
    program: readonly [string, ...string[]] = usualProgram,
  ): Promise<ModelProcess> {
    const started = new ModelProcess(program);
    const loaded = Promise.withResolvers<Extract<FromModel, { type: 'loaded' }>>();
    started.#child.on('message', (message: FromModel) => {
      if (message.type === 'loaded') loaded.resolve(message);
      if (message.type === 'load-failed') loaded.reject(new ModelProcessError(message.reason, message.message));
    });
    void started.ended.then(() => loaded.reject(started.#end));
    started.#send({ type: 'load', ...task });
    started.#hold(1);
    try {
      const { contextTokens, gpu } = await loaded.promise;
      started.contextTokens = contextTokens;
      started.gpu = gpu;
      return started;
    } catch (error) {
      await started.stop();
      throw error;
    } finally {
      started.#hold(-1);
    }
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get isAlive(): boolean {
    return this.#end === undefined;
  }

  /** Gives what the model says, and returns how it ended. Leaving the loop, or the signal, ends the answer. Throws ModelProcessError. */
  async *generate(
    task: GenerateTask,
    signal: AbortSignal,
  ): AsyncGenerator<ModelEvent, { stop: ModelStop; usage: ModelUsage }> {
    if (this.#end) throw this.#end;
    const id = (this.#lastId += 1);
    const queue: Parameters<OnAnswer>[0][] = [];
    let wake = Promise.withResolvers<void>();
    this.#answers.set(id, (message) => {
      queue.push(message);
      wake.resolve();
    });
    const abort = (): void => wake.resolve();
    signal.addEventListener('abort', abort);
    this.#hold(1);
    this.#send({ type: 'generate', id, task });
    let isOver = false;
    try {
      for (;;) {
        await wake.promise;
        wake = Promise.withResolvers<void>();
        for (let message = queue.shift(); message; message = queue.shift()) {
          if (message.type === 'event') yield message.event;
          isOver ||= message.type !== 'event';
          if (message.type === 'done') return { stop: message.stop, usage: message.usage };
          if (message.type === 'failed') throw this.#end ?? new ModelProcessError(message.reason, message.message);
        }
        signal.throwIfAborted();
      }
    } finally {
      signal.removeEventListener('abort', abort);
      this.#answers.delete(id);
      if (!isOver) this.#send({ type: 'abort', id });
      this.#hold(-1);
    }
  }

  /** Returns when the process is no more. */
  async stop(): Promise<void> {
    // There is nothing to be put in order: the model is a file, mapped into memory.
    this.#child.kill('SIGKILL');
    await this.ended;
  }

  /** A model that nobody asks anything does not keep Helix from ending, and ends with it. */
  #hold(change: 1 | -1): void {
    this.#busy += change;
    const how = this.#busy > 0 ? 'ref' : 'unref';
    this.#child[how]();
    this.#child.channel?.[how]();
    (this.#child.stderr as Socket | null)?.[how]();
  }

  #send(message: ToModel): void {
    // A process that ends meanwhile is noticed by its end.
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }
}

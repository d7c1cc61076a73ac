import { isAbsolute } from 'node:path';
import { HelixError } from '../../../contracts/error.ts';
import type {
  LlmRequest,
  LlmResponse,
  LlmStreamEvent,
  ModelInfo,
  ProviderCapabilities,
  ProviderHealth,
} from '../../../contracts/llm.ts';
import type { OnProgress } from '../../local/progress.ts';
import { ModelStore } from '../../local/store.ts';
import type { CallOptions, LlmProvider, ProviderSettings } from '../../provider.ts';
import { beginCall, finished, healthOf } from '../call.ts';
import { thrownError } from '../errors.ts';
import type { ErrorContext } from '../errors.ts';
import { LlamaCppAnswer } from './answer.ts';
import { buildsFor, detectMachine, type GpuWish } from './builds.ts';
import { ModelProcessError } from './model-process.ts';
import { llamaCppCapabilities, llamaCppModelInfo } from './model-info.ts';
import { ModelProcesses } from './model-processes.ts';
import { generateTask } from './request.ts';
import type { RuntimeSource } from './runtime.ts';

export interface LlamaCppSettings extends ProviderSettings {
  /** Where models, and llama.cpp itself, are kept. */
  home?: string | undefined;
  gpu?: GpuWish | undefined;
  /** Of prompt and answer together; by the model and the memory when left out. */
  contextTokens?: number | undefined;
  /** Processors that a model may use; all good ones when left out. */
  threads?: number | undefined;
  /** After so long without a call a model's process ends. */
  idleMs?: number | undefined;
  /** Told while llama.cpp is fetched. */
  onProgress?: OnProgress | undefined;
  /** What a model's process is started with, where it is not a file of the installation. */
  program?: readonly [string, ...string[]] | undefined;
  /** Asked for llama.cpp where npm cannot fetch it. */
  elsewhere?: RuntimeSource | undefined;
  /** Bytes of memory that are free now; the system is asked when left out. */
  freeMemory?: (() => number) | undefined;
}

const idleMs = 10 * 60_000;

/** Models in GGUF files, run by llama.cpp in processes of their own on this machine. A call without a home is `llm.not-configured`. */
export function openLlamaCpp(settings: LlamaCppSettings): LlmProvider {
  return new LlamaCppProvider(settings);
}

class LlamaCppProvider implements LlmProvider {
  readonly name = 'llamacpp';
  readonly #settings: LlamaCppSettings;
  #running: ModelProcesses | undefined;

  constructor(settings: LlamaCppSettings) {
    this.#settings = settings;
  }

  async generate(request: LlmRequest, options: CallOptions = {}): Promise<LlmResponse> {
    return finished({ provider: this.name, model: request.model, secrets: [] }, this.generateStream(request, options));
  }

  async *generateStream(request: LlmRequest, options: CallOptions = {}): AsyncGenerator<LlmStreamEvent, void> {
    const context: ErrorContext = { provider: this.name, model: request.model, secrets: [] };
    const task = generateTask(request, context);
    const call = beginCall(context, { timeoutMs: 10 * 60_000, ...this.#settings }, options);
    const answer = new LlamaCppAnswer(request, task.schema !== undefined);
    let release = (): void => undefined;
    try {
      const file = await this.#fileOf(request.model);
      const acquired = await this.#processes().acquire(request.model, file, call.signal);
      release = acquired.release;
      const events = acquired.process.generate(task, call.signal);
      try {
        let next = await events.next();
        for (; !next.done; next = await events.next()) {
          call.answered();
          yield* answer.add(next.value);
        }
        call.answered();
        yield* answer.finish(next.value.stop, next.value.usage);
      } finally {
        // Ends the answer in the process too when nobody listens any more.
        await events.return({ stop: 'end', usage: { input: 0, output: 0, thinking: 0, cacheRead: 0 } });
      }
    } catch (thrown) {
      throw call.failure(explained(thrown, context));
    } finally {
      release();
      call.end();
    }
  }

  async getModels(): Promise<ModelInfo[]> {
    const models = await this.#store().list();
    return models.map(({ name, facts }) => llamaCppModelInfo(name, facts, this.#settings.contextTokens));
  }

  getCapabilities(): ProviderCapabilities {
    return llamaCppCapabilities;
  }

  async getHealth(): Promise<ProviderHealth> {
    return healthOf(async () => {
      if (this.#store().hasAny()) return;
      throw new HelixError(
        'llm.not-configured',
        'there is no local model yet: "helix models recommend" says which fit this machine, "helix models pull" fetches one',
      );
    });
  }

  async isAvailable(): Promise<boolean> {
    return (await this.getHealth()).status === 'healthy';
  }

  async close(): Promise<void> {
    await this.#running?.close();
  }

  #home(): string {
    const { home } = this.#settings;
    if (home !== undefined) return home;
    throw new HelixError('llm.not-configured', 'llamacpp needs a home to keep models in: set HELIX_HOME');
  }

  #store(): ModelStore {
    return new ModelStore(this.#home());
  }

  async #fileOf(model: string): Promise<string> {
    if (isAbsolute(model)) return model;
    const store = this.#store();
    return store.fileOf(await store.get(model));
  }

  #processes(): ModelProcesses {
    this.#running ??= new ModelProcesses({
      home: this.#home(),
      builds: buildsFor(detectMachine(), this.#settings.gpu),
      contextTokens: this.#settings.contextTokens,
      threads: this.#settings.threads,
      idleMs: this.#settings.idleMs ?? idleMs,
      onProgress: this.#settings.onProgress ?? (() => undefined),
      ...(this.#settings.program ? { program: this.#settings.program } : {}),
      ...(this.#settings.elsewhere ? { elsewhere: this.#settings.elsewhere } : {}),
      ...(this.#settings.freeMemory ? { free: this.#settings.freeMemory } : {}),
    });
    return this.#running;
  }
}

function explained(thrown: unknown, context: ErrorContext): unknown {
  if (!(thrown instanceof ModelProcessError))
    return thrown instanceof HelixError ? thrown : thrownError(context, thrown);
  const details = { provider: context.provider, model: context.model };
  const who = `llamacpp/${context.model}`;
  const { reason, message } = thrown;
  if (reason === 'context')
    return new HelixError(
      'llm.context-exceeded',
      `The request is too long for ${who} (${message}). Shorten the conversation, or set llm.llamacpp.contextTokens higher.`,
      { details },
    );
  if (reason === 'schema')
    return new HelixError('llm.invalid-request', `${who} cannot be held to the schema (${message}).`, { details });
  const again = reason === 'ended' ? ' Asking again starts it anew.' : '';
  return new HelixError('llm.unavailable', `${who} broke off its answer: ${message}.${again}`, { details });
}

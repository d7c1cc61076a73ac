import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { LocalModel, LocalModelDetails, LocalModelList, PullEvent } from '../../contracts/local-model.ts';
import type { ProviderSettings } from '../provider.ts';
import { deleteLocalModel, listLocalModels, pullModel, showLocalModel } from '../providers/ollama/models.ts';
import type { ModelSize } from './fit.ts';
import { readGguf } from './gguf.ts';
import { Hub, type HubSettings } from './hub.ts';
import type { OnProgress, Progress } from './progress.ts';
import { Puller } from './pull.ts';
import { knownModels, sizeOf as sizeOfKnown } from './recommend.ts';
import { type ModelSource, parseSource } from './source.ts';
import { filesOfSplit } from './split.ts';
import { ModelStore } from './store.ts';

const listingMs = 10_000;
/** By how much the weights of models in use outweigh the cache of one token. */
const usualBytesPerCachedByte = 40_000;

export interface LocalModelsOptions {
  home: string;
  hub: HubSettings;
  ollama: ProviderSettings;
  /** Fetches what runs the models, once there is one. */
  prepare(onProgress: OnProgress, signal: AbortSignal): Promise<void>;
}

/** The models on the controller: which are there, and how they get there. */
export class LocalModels {
  readonly #store: ModelStore;
  readonly #options: LocalModelsOptions;

  constructor(options: LocalModelsOptions) {
    this.#options = options;
    this.#store = new ModelStore(options.home);
  }

  list(): Promise<LocalModel[]> {
    return this.#store.list();
  }

  /** What Ollama has, where it has an address; and why it does not say so. */
  async ollamaModels(): Promise<Pick<LocalModelList, 'ollama' | 'ollamaReason'>> {
    if (this.#options.ollama.baseUrl === undefined) return { ollama: [] };
    try {
      const listed = await listLocalModels(this.#options.ollama, { signal: AbortSignal.timeout(listingMs) });
      const ollama = listed.map(({ info, sizeBytes, quantization }) => ({
        name: info.id,
        bytes: sizeBytes,
        quantization,
        ...defined({ contextTokens: info.contextTokens }),
      }));
      return { ollama };
    } catch (error) {
      return { ollama: [], ollamaReason: (error as Error).message };
    }
  }

  /** How large a model is that may not be here yet: exactly for a file and for those of the list, otherwise by its files alone. */
  async sizeOf(source: Exclude<ModelSource, { kind: 'ollama' }>, signal: AbortSignal): Promise<ModelSize> {
    if (source.kind === 'file') {
      const { cacheBytesPerToken, contextTokens = 4096 } = await readGguf(source.path);
      return { bytes: await sizeOfFiles(source.path), cacheBytesPerToken, contextTokens };
    }
    const { repository, file } = source;
    const known = knownModels.find((model) => model.repository === repository && model.file === file);
    if (known) return sizeOfKnown(known);
    const hub = new Hub(this.#options.hub);
    const files = await Promise.all(
      (await hub.find(repository, source.revision, source, signal)).map((path) =>
        hub.locate(repository, source.revision, path, signal),
      ),
    );
    const bytes = files.reduce((sum, one) => sum + one.bytes, 0);
    return { bytes, cacheBytesPerToken: bytes / usualBytesPerCachedByte, contextTokens: 32_768 };
  }

  /** Tells how far it is, and last of all the name to ask. Ending it early leaves a part that the next pull goes on from. */
  async *pull(text: string, signal: AbortSignal): AsyncGenerator<PullEvent> {
    const source = parseSource(text);
    if (source.kind === 'ollama') {
      for await (const { status, totalBytes, completedBytes } of pullModel(this.#options.ollama, source.model, {
        signal,
      }))
        yield progressEvent({ what: status, ...defined({ totalBytes, completedBytes }) });
      yield { type: 'done', name: `ollama/${source.model}` };
      return;
    }
    const puller = new Puller(this.#store, new Hub(this.#options.hub));
    const model = yield* withProgress((onProgress) => puller.pull(source, { signal, onProgress }));
    yield* withProgress((onProgress) => this.#options.prepare(onProgress, signal));
    yield { type: 'done', name: `llamacpp/${model.name}`, model };
  }

  /** Throws `llm.model-not-found`. */
  async remove(name: string): Promise<void> {
    const ollama = ollamaName(name);
    if (ollama === undefined) await this.#store.remove(storeName(name));
    else await deleteLocalModel(this.#options.ollama, ollama);
  }

  /** Throws `llm.model-not-found`. */
  async ollamaInfo(name: string): Promise<LocalModelDetails> {
    const model = name.slice('ollama/'.length);
    const { contextTokens, ...info } = await showLocalModel(this.#options.ollama, model);
    const can = (['tools', 'vision', 'thinking'] as const).filter((ability) => info[ability]);
    return { ollama: { name: model, ...defined({ contextTokens }), can } };
  }

  /** The file that is loaded. */
  pathOf(model: LocalModel): string {
    return this.#store.fileOf(model);
  }
}

async function sizeOfFiles(path: string): Promise<number> {
  const files = filesOfSplit(basename(path)).map((name) => stat(join(dirname(path), name)));
  return (await Promise.all(files)).reduce((sum, { size }) => sum + size, 0);
}

function ollamaName(name: string): string | undefined {
  return name.startsWith('ollama/') ? name.slice('ollama/'.length) : undefined;
}

function storeName(name: string): string {
  return name.replace(/^llamacpp\//, '');
}

/** How often somebody is told; bytes come much faster. */
const tellMs = 200;

/** Runs `work`, giving what it reports as it goes, and returns its result. */
async function* withProgress<T>(work: (onProgress: OnProgress) => Promise<T>): AsyncGenerator<PullEvent, T> {
  let latest: Progress | undefined;
  let told: string | undefined;
  let wake = Promise.withResolvers<void>();
  const running = work((progress) => {
    latest = progress;
    wake.resolve();
  });
  // The loop below waits for its end; until then a failure is nobody's.
  running.catch(() => undefined);
  let isOver = false;
  const over = running.then(
    () => (isOver = true),
    () => (isOver = true),
  );
  let next = 0;
  while (!isOver) {
    await Promise.race([wake.promise, over]);
    wake = Promise.withResolvers<void>();
    const due = latest?.what !== told || Date.now() >= next;
    if (!latest || !due) continue;
    yield progressEvent(latest);
    told = latest.what;
    latest = undefined;
    next = Date.now() + tellMs;
  }
  return await running;
}

function progressEvent(progress: Progress): PullEvent {
  return { type: 'progress', ...progress };
}

function defined<T extends object>(values: T): { [name in keyof T]?: Exclude<T[name], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}

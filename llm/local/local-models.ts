import type {
  LocalHardware,
  LocalModel,
  LocalModelDetails,
  PullEvent,
  RecommendationList,
} from '../../contracts/local-model.ts';
import type { NodeRecord } from '../../contracts/node.ts';
import type { ProviderSettings } from '../provider.ts';
import { deleteLocalModel, pullModel, showLocalModel } from '../providers/ollama/models.ts';
import { fit } from './fit.ts';
import { hardwareOfNode, thisMachine } from './hardware.ts';
import { Hub, type HubSettings } from './hub.ts';
import type { OnProgress, Progress } from './progress.ts';
import { Puller } from './pull.ts';
import { recommend } from './recommend.ts';
import { parseSource } from './source.ts';
import { ModelStore } from './store.ts';

export interface LocalModelsOptions {
  home: string;
  hub: HubSettings;
  ollama: ProviderSettings;
  /** Fetches what runs the models, once there is one. */
  prepare(onProgress: OnProgress, signal: AbortSignal): Promise<void>;
}

/** The models on the user's own machines: which fit, which are there, and how they get there. */
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

  /** For a node by what it was detected to have; for this machine when none is given. */
  async recommend(node?: NodeRecord): Promise<RecommendationList> {
    const hardware: LocalHardware = node ? hardwareOfNode(node.facts) : await thisMachine();
    const pulled = new Set((await this.#store.list()).map(({ name }) => name));
    return { node: node?.name ?? 'this machine', hardware, models: recommend(hardware, pulled) };
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
  async info(name: string): Promise<LocalModelDetails> {
    const ollama = ollamaName(name);
    if (ollama !== undefined) {
      const { contextTokens, ...info } = await showLocalModel(this.#options.ollama, ollama);
      const can = (['tools', 'vision', 'thinking'] as const).filter((ability) => info[ability]);
      return { ollama: { name: ollama, ...defined({ contextTokens }), can } };
    }
    const model = await this.#store.get(storeName(name));
    const bytes = model.files.reduce((sum, file) => sum + file.bytes, 0);
    const { cacheBytesPerToken, contextTokens = 4096 } = model.facts;
    const its = fit({ bytes, cacheBytesPerToken, contextTokens }, await thisMachine());
    return { model, path: this.#store.fileOf(model), fit: its };
  }
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

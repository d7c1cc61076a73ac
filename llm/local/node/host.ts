import { HelixError } from '../../../contracts/error.ts';
import type { LlmRequest } from '../../../contracts/llm.ts';
import type { LocalModel } from '../../../contracts/local-model.ts';
import type { LlmProvider } from '../../provider.ts';
import { type Build, buildsFor, detectMachine } from '../../providers/llamacpp/builds.ts';
import { openLlamaCpp } from '../../providers/llamacpp/provider.ts';
import { unpackRuntime } from '../../providers/llamacpp/runtime-archive.ts';
import { ensureRuntime, type RuntimeSource } from '../../providers/llamacpp/runtime.ts';
import { Hub } from '../hub.ts';
import type { OnProgress, Progress } from '../progress.ts';
import { Puller } from '../pull.ts';
import { ModelStore } from '../store.ts';
import { relayed, RelayHub } from './relay-hub.ts';
import {
  asRepository,
  type HostChannel,
  type HostConnection,
  type HostHandler,
  type HostSettings,
  type PullSource,
  type RuntimeArchive,
} from './wire.ts';

/** Until the controller says how long it wants. */
const firstLeaseMs = 30_000;
/** How often the controller is told how far something is; bytes come much faster. */
const tellMs = 200;

export interface ModelHostOptions {
  /** The node's folder: models are below it, and llama.cpp. */
  root: string;
  /** What the process of a model is started with. */
  program: readonly [string, ...string[]];
  /** Called when the controller has not been heard of for too long. */
  onLeaseEnd(): void;
}

/** The models of a node: fetched, kept and run there, as the controller says. */
export class ModelHost {
  readonly #options: ModelHostOptions;
  readonly #store: ModelStore;
  readonly #connection: () => HostConnection;
  #settings: HostSettings | undefined;
  #provider: LlmProvider | undefined;
  #lease: NodeJS.Timeout;

  constructor(options: ModelHostOptions, connection: () => HostConnection) {
    this.#options = options;
    this.#store = new ModelStore(options.root);
    this.#connection = connection;
    this.#lease = setTimeout(() => options.onLeaseEnd(), firstLeaseMs);
  }

  handlers(): Record<string, HostHandler> {
    return {
      configure: (settings: HostSettings) => this.#configure(settings),
      beat: async () => this.#renew(),
      list: () => this.#store.list(),
      pull: (request: { pull: string; source: PullSource }, channel) => this.#pull(request, channel),
      remove: async ({ name }: { name: string }) => void (await this.#store.remove(name)),
      generate: ({ request }: { request: LlmRequest }, channel) => this.#generate(request, channel),
    };
  }

  async #configure(settings: HostSettings): Promise<void> {
    this.#settings = settings;
    this.#renew();
  }

  #renew(): void {
    clearTimeout(this.#lease);
    this.#lease = setTimeout(() => this.#options.onLeaseEnd(), this.#settings?.leaseMs ?? firstLeaseMs);
  }

  async #pull({ pull, source }: { pull: string; source: PullSource }, channel: HostChannel): Promise<LocalModel> {
    const { signal } = channel;
    const onProgress = seldom((progress) => channel.event(progress));
    const fetchFrom = (hub: Hub | RelayHub): Promise<LocalModel> =>
      new Puller(this.#store, hub).pull(asRepository(source), { signal, onProgress });
    const relay = new RelayHub(this.#connection(), pull);
    let model: LocalModel;
    if (source.kind === 'file') model = await fetchFrom(relay);
    else {
      model = await fetchFrom(new Hub({ url: this.#settings?.hubUrl })).catch(async (error: unknown) => {
        if (signal.aborted || !isForController(error)) throw error;
        onProgress({ what: `the node cannot fetch it (${error.message}): it is sent by the controller` });
        return fetchFrom(relay);
      });
    }
    const [best] = buildsFor(detectMachine(), this.#settings?.gpu);
    if (best) await ensureRuntime(this.#options.root, best, onProgress, signal, this.#runtimeOfController);
    return model;
  }

  async #generate(request: LlmRequest, channel: HostChannel): Promise<null> {
    const events = this.#models().generateStream(request, { signal: channel.signal });
    for await (const event of events) channel.event(event);
    return null;
  }

  #models(): LlmProvider {
    const { gpu, contextTokens, threads, idleMs, timeoutMs } = this.#settings ?? ({} as Partial<HostSettings>);
    this.#provider ??= openLlamaCpp({
      home: this.#options.root,
      program: this.#options.program,
      elsewhere: this.#runtimeOfController,
      gpu,
      contextTokens,
      threads,
      idleMs,
      timeoutMs,
    });
    return this.#provider;
  }

  readonly #runtimeOfController: RuntimeSource = async (build: Build, folder, onProgress, signal) => {
    const connection = this.#connection();
    const { packages } = build;
    const archive = await connection.call<RuntimeArchive>('relayRuntime', { packages });
    const source = {
      fetch: (_repository: string, _file: unknown, offset: number, its: AbortSignal) =>
        relayed(connection.open<null>('relayRuntimeFetch', { packages, offset }), its),
    };
    const file = { ...archive, path: `llama.cpp (${packages[0]})`, commit: '' };
    await unpackRuntime(source, file, folder, onProgress, signal);
  };
}

/** The node does not reach the hub, or the hub wants a token, which only the controller has. */
function isForController(error: unknown): error is HelixError {
  return error instanceof HelixError && (error.code === 'llm.unavailable' || error.code === 'llm.authentication');
}

/** Tells the latest of what comes often, and what is new at once. */
function seldom(tell: OnProgress): OnProgress {
  let told: string | undefined;
  let latest: Progress | undefined;
  let timer: NodeJS.Timeout | undefined;
  const tellLatest = (): void => {
    timer = undefined;
    if (latest) tell(latest);
    latest = undefined;
  };
  return (progress) => {
    latest = progress;
    if (progress.what !== told) {
      clearTimeout(timer);
      tellLatest();
      told = progress.what;
    }
    timer ??= setTimeout(tellLatest, tellMs);
  };
}

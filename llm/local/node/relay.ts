import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { HelixError } from '../../../contracts/error.ts';
import { buildOf } from '../../providers/llamacpp/builds.ts';
import { runtimeArchive } from '../../providers/llamacpp/runtime-archive.ts';
import { sha256Of, sizeOf } from '../download.ts';
import type { Hub, HubFile, ModelHub } from '../hub.ts';
import type { OnProgress } from '../progress.ts';
import { filesOfSplit } from '../split.ts';
import { bodyOf } from './relay-hub.ts';
import {
  asRepository,
  type HostChannel,
  type HostHandler,
  type PullSource,
  type RelayBegins,
  type RelayFetch,
  type RelayFind,
  type RelayLocate,
  type RelayRuntime,
  type RuntimeArchive,
} from './wire.ts';

interface Pull {
  source: Extract<PullSource, { kind: 'hub' }>;
  hub: ModelHub;
  paths?: Promise<string[]>;
  files: Map<string, HubFile>;
  onProgress: OnProgress;
}

/**
 * The controller's part in pulls of nodes that reach neither hub nor registry: it gives the files of the pulls under way and llama.cpp itself, and
 * nothing else, whatever the node asks for.
 */
export class Relay {
  readonly #home: string;
  readonly #hub: Hub;
  readonly #pulls = new Map<string, Pull>();

  constructor(home: string, hub: Hub) {
    this.#home = home;
    this.#hub = hub;
  }

  /** Gives the files of a source, under the name `pull`, until the returned function is called. */
  serve(pull: string, source: PullSource, onProgress: OnProgress): () => void {
    const isFile = source.kind === 'file';
    this.#pulls.set(pull, {
      source: asRepository(source),
      hub: isFile ? new Folder() : this.#hub,
      files: new Map(),
      onProgress,
    });
    return () => this.#pulls.delete(pull);
  }

  handlers(): Record<string, HostHandler> {
    return {
      relayFind: async ({ pull }: RelayFind, { signal }) => this.#find(this.#known(pull), signal),
      relayLocate: (request: RelayLocate, channel) => this.#locate(request, channel),
      relayFetch: (request: RelayFetch, channel) => this.#fetch(request, channel),
      relayRuntime: (request: RelayRuntime, { signal }) => this.#runtime(request, signal),
      relayRuntimeFetch: (request: RelayRuntime & { offset: number }, channel) => this.#fetchRuntime(request, channel),
    };
  }

  #known(name: string): Pull {
    const pull = this.#pulls.get(name);
    if (pull) return pull;
    throw new HelixError('llm.unavailable', 'the controller has given up this pull');
  }

  #find(pull: Pull, signal: AbortSignal): Promise<string[]> {
    const { repository, revision } = pull.source;
    pull.paths ??= pull.hub.find(repository, revision, pull.source, signal);
    pull.paths.catch(() => delete pull.paths);
    return pull.paths;
  }

  async #locate({ pull: name, path, commit }: RelayLocate, { signal }: HostChannel): Promise<HubFile> {
    const pull = this.#known(name);
    if (!(await this.#find(pull, signal)).includes(path)) throw notOffered(path);
    const file = await pull.hub.locate(pull.source.repository, commit ?? pull.source.revision, path, signal);
    pull.files.set(path, file);
    return file;
  }

  async #fetch({ pull: name, path, offset }: RelayFetch, channel: HostChannel): Promise<null> {
    const pull = this.#known(name);
    const file = pull.files.get(path);
    if (!file) throw notOffered(path);
    await pass(await pull.hub.fetch(pull.source.repository, file, offset, channel.signal), channel);
    return null;
  }

  async #runtime({ packages }: RelayRuntime, signal: AbortSignal): Promise<RuntimeArchive> {
    const { bytes, sha256 } = await this.#archive(packages, signal);
    return { bytes, sha256 };
  }

  async #fetchRuntime({ packages, offset }: RelayRuntime & { offset: number }, channel: HostChannel): Promise<null> {
    const { file, bytes } = await this.#archive(packages, channel.signal);
    await pass(partOf(file, bytes, offset), channel);
    return null;
  }

  #archive(packages: string[], signal: AbortSignal): ReturnType<typeof runtimeArchive> {
    const build = buildOf(packages);
    if (!build) throw notOffered(packages.join());
    const tell: OnProgress = (progress) => {
      for (const { onProgress } of this.#pulls.values()) onProgress(progress);
    };
    return runtimeArchive(this.#home, build, tell, signal);
  }
}

/** Files of one folder of the controller, as a hub: the repository is the folder. */
class Folder implements ModelHub {
  async find(_folder: string, _revision: string, { file }: { file?: string }): Promise<string[]> {
    return filesOfSplit(file!);
  }

  async locate(folder: string, commit: string, path: string, signal: AbortSignal): Promise<HubFile> {
    const file = join(folder, path);
    const bytes = await sizeOf(file);
    if (bytes === 0) throw new HelixError('usage.invalid', `${file} is missing or empty`);
    return { path, bytes, sha256: await sha256Of(file, signal, () => undefined), commit };
  }

  async fetch(folder: string, { path, bytes }: HubFile, offset: number): Promise<Response> {
    return partOf(join(folder, path), bytes, offset);
  }
}

function partOf(file: string, bytes: number, offset: number): Response {
  const headers = { 'content-range': `bytes ${offset}-${bytes - 1}/${bytes}` };
  return new Response(bodyOf(createReadStream(file, { start: offset })), { status: 206, headers });
}

async function pass(response: Response, channel: HostChannel): Promise<void> {
  const { status, headers, body } = response;
  channel.event({ status, contentRange: headers.get('content-range') } satisfies RelayBegins);
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) await channel.send(chunk);
}

function notOffered(path: string): HelixError {
  return new HelixError('llm.model-not-found', `${path} is no part of this pull`);
}

import { basename, dirname } from 'node:path';
import type { Readable } from 'node:stream';
import type { GpuWish } from '../../providers/llamacpp/builds.ts';
import type { HubFile } from '../hub.ts';
import type { ModelSource } from '../source.ts';

// What the controller and the host of a node's models say to each other, and what carries it.

/** One call under way, as whoever answers it, or has made it, sees it. */
export interface HostChannel {
  /** Aborted when the other side gives up the call, or the connection ends. */
  readonly signal: AbortSignal;
  readonly incoming: Readable;
  event(value: unknown): void;
  onEvent(listener: (value: never) => void): void;
  /** Waits until the other side has room. */
  send(bytes: Uint8Array): Promise<void>;
}

export interface HostCall<Result> {
  channel: HostChannel;
  result: Promise<Result>;
  abort(): void;
}

/** Calls in both directions between controller and host. What fails because the connection ended fails with an error of its own, not a HelixError. */
export interface HostConnection {
  open<Result>(method: string, parameters: unknown): HostCall<Result>;
  call<Result>(method: string, parameters?: unknown): Promise<Result>;
  onClose(listener: (error: Error) => void): void;
}

export type HostHandler = (parameters: never, channel: HostChannel) => Promise<unknown>;

/** How a node runs models and where it gets them from; the token of the hub stays with the controller. */
export interface HostSettings {
  hubUrl?: string | undefined;
  gpu: GpuWish;
  contextTokens?: number | undefined;
  threads?: number | undefined;
  idleMs: number;
  timeoutMs: number;
  /** The host ends when it has heard nothing for so long. */
  leaseMs: number;
}

export type PullSource = Exclude<ModelSource, { kind: 'ollama' }>;

/** A file of the controller is given as one of a hub whose repository is its folder. */
export function asRepository(source: PullSource): Extract<PullSource, { kind: 'hub' }> {
  if (source.kind === 'hub') return source;
  return { kind: 'hub', repository: dirname(source.path), revision: 'file', file: basename(source.path) };
}

/** From the host, about a pull that the controller has asked for: of nothing else are files given. */
export interface RelayFind {
  pull: string;
}
export interface RelayLocate {
  pull: string;
  path: string;
  /** Of the file before it. */
  commit?: string;
}
export interface RelayFetch {
  pull: string;
  path: string;
  offset: number;
}
/** Said before the bytes of a fetch. */
export interface RelayBegins {
  status: number;
  contentRange: string | null;
}

/** llama.cpp as one archive, for a node that cannot fetch it. */
export interface RelayRuntime {
  packages: string[];
}
export type RuntimeArchive = Pick<HubFile, 'bytes' | 'sha256'>;

import { Readable } from 'node:stream';
import type { HubFile, ModelHub } from '../hub.ts';
import type { HostCall, HostConnection, RelayBegins, RelayFetch, RelayFind, RelayLocate } from './wire.ts';

/** The hub as a node sees it that cannot reach one: the controller asks it, and sends what it gives. For one pull. */
export class RelayHub implements ModelHub {
  readonly #connection: HostConnection;
  readonly #pull: string;

  constructor(connection: HostConnection, pull: string) {
    this.#connection = connection;
    this.#pull = pull;
  }

  find(): Promise<string[]> {
    return this.#connection.call('relayFind', { pull: this.#pull } satisfies RelayFind);
  }

  async locate(_repository: string, commit: string, path: string): Promise<HubFile> {
    return await this.#connection.call('relayLocate', { pull: this.#pull, path, commit } satisfies RelayLocate);
  }

  async fetch(_repository: string, { path }: HubFile, offset: number, signal: AbortSignal): Promise<Response> {
    const request: RelayFetch = { pull: this.#pull, path, offset };
    return relayed(this.#connection.open<null>('relayFetch', request), signal);
  }
}

/** The answer to a call that says how its bytes begin and then sends them. */
export async function relayed(call: HostCall<null>, signal: AbortSignal): Promise<Response> {
  const { channel, result, abort } = call;
  const begun = new Promise<RelayBegins>((resolve) => channel.onEvent(resolve));
  const abortOnce = (): void => {
    abort();
    channel.incoming.destroy(signal.reason as Error);
  };
  signal.addEventListener('abort', abortOnce, { once: true });
  const forget = (): void => signal.removeEventListener('abort', abortOnce);
  result.then(forget, forget);
  const first = await Promise.race([begun, result]);
  signal.throwIfAborted();
  const { status, contentRange } = first ?? (await begun);
  channel.incoming.once('close', abort);
  return new Response(bodyOf(channel.incoming), {
    status,
    headers: contentRange === null ? {} : { 'content-range': contentRange },
  });
}

export function bodyOf(stream: Readable): ConstructorParameters<typeof Response>[0] {
  return Readable.toWeb(stream);
}

import { z } from 'zod';
import { HelixError } from '../../contracts/error.ts';
import { redactText } from '../../observability/redact.ts';
import { quantizationOf } from './quantization.ts';
import { filesOfSplit, splitOf } from './split.ts';

export interface HubSettings {
  /** The hub, or a mirror of it. */
  url?: string | undefined;
  /** Sent to the hub alone, never to where it redirects. */
  token?: string | undefined;
}

/** A file of the hub as it is at one commit. */
export interface HubFile {
  /** Inside the repository. */
  path: string;
  bytes: number;
  sha256: string;
  commit: string;
}

/** Where files of models are found and fetched: a hub, or what stands in for one. Throws as `Hub` does. */
export interface ModelHub {
  find(
    repository: string,
    revision: string,
    wish: { file?: string; quantization?: string },
    signal: AbortSignal,
  ): Promise<string[]>;
  locate(repository: string, revision: string, path: string, signal: AbortSignal): Promise<HubFile>;
  fetch(repository: string, file: HubFile, offset: number, signal: AbortSignal): Promise<Response>;
}

const usualHub = 'https://huggingface.co';
const answerMs = 30_000;
/** Preferred when nobody says which: small enough for most machines, and hardly worse. */
const usualQuantizations = ['Q4_K_M', 'MXFP4', 'Q4_K_S', 'Q4_0', 'Q5_K_M', 'Q8_0'];

const treeSchema = z.array(z.object({ type: z.string(), path: z.string() }));

/** A hub of models that speaks like Hugging Face's. */
export class Hub implements ModelHub {
  readonly #url: string;
  readonly #token: string | undefined;

  constructor(settings: HubSettings = {}) {
    this.#url = (settings.url ?? usualHub).replace(/\/+$/, '');
    this.#token = settings.token;
  }

  /** The files of one model: the named one and its other parts, or those of a quantization. Throws `llm.model-not-found`. */
  async find(
    repository: string,
    revision: string,
    wish: { file?: string; quantization?: string },
    signal: AbortSignal,
  ): Promise<string[]> {
    if (wish.file !== undefined) return filesOfSplit(wish.file);
    const all = await this.#models(repository, revision, signal);
    const wished = wish.quantization === undefined ? usualQuantizations : [wish.quantization.toUpperCase()];
    for (const quantization of wished) {
      const found = all.find((path) => quantizationOf(path) === quantization);
      if (found !== undefined) return filesOfSplit(found);
    }
    const [only, ...others] = all;
    if (wish.quantization === undefined && only !== undefined && others.length === 0) return filesOfSplit(only);
    throw new HelixError(
      'llm.model-not-found',
      `${repository} has no GGUF ${wish.quantization === undefined ? 'of a usual quantization' : `of ${wish.quantization}`}` +
        (all.length === 0 ? '' : `; it has ${all.slice(0, 20).join(', ')}`),
    );
  }

  /**
   * What a file is at a revision: its size and hash, by the hub's headers, else by the pointer of git LFS. Throws `llm.model-not-found`,
   * `llm.authentication`, `llm.unavailable`, and `llm.malformed-answer` when the hub tells no hash.
   */
  async locate(repository: string, revision: string, path: string, signal: AbortSignal): Promise<HubFile> {
    const response = await this.#ask(this.#resolve(repository, revision, path), signal, { method: 'HEAD' });
    const commit = response.headers.get('x-repo-commit') ?? revision;
    const etag = response.headers.get('x-linked-etag') ?? response.headers.get('etag') ?? '';
    const size = response.headers.get('x-linked-size') ?? response.headers.get('content-length');
    const [sha256] = /[0-9a-f]{64}/.exec(etag) ?? [];
    if (sha256 !== undefined && size !== null) return { path, bytes: Number(size), sha256, commit };
    const pointer = await this.#pointer(repository, commit, path, signal);
    if (pointer) return { path, ...pointer, commit };
    throw new HelixError(
      'llm.malformed-answer',
      `${this.#url} does not say the SHA-256 of ${repository}/${path}, so that it cannot be verified: download it yourself, and pull its path`,
    );
  }

  /**
   * The bytes of a file from `offset` on. Where the hub redirects, the token does not go. Throws as `locate` does; the answer has status 206 when it
   * begins at the offset, and 200 when it begins at the start.
   */
  async fetch(repository: string, file: HubFile, offset: number, signal: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = { 'accept-encoding': 'identity' };
    if (offset > 0) headers['range'] = `bytes=${offset}-`;
    return this.#ask(this.#resolve(repository, file.commit, file.path), signal, { headers }, true);
  }

  async #models(repository: string, revision: string, signal: AbortSignal): Promise<string[]> {
    const response = await this.#ask(`${this.#url}/api/models/${repository}/tree/${revision}?recursive=true`, signal);
    const listed = treeSchema.safeParse(await response.json().catch(() => undefined));
    if (!listed.success)
      throw new HelixError('llm.malformed-answer', `${this.#url} does not list ${repository} as a hub of models does`);
    const models = listed.data.filter(({ type, path }) => type === 'file' && /\.gguf$/i.test(path));
    // A projector for images is no model; of a split one the first part stands for all.
    return models.map(({ path }) => path).filter((path) => !/mmproj/i.test(path) && (splitOf(path)?.index ?? 1) === 1);
  }

  async #pointer(
    repository: string,
    revision: string,
    path: string,
    signal: AbortSignal,
  ): Promise<{ sha256: string; bytes: number } | undefined> {
    const asked = this.#ask(this.#address(repository, 'raw', revision, path), signal, {
      headers: { range: 'bytes=0-1023' },
    });
    const response = await asked.catch(() => undefined);
    if (!response?.body) return undefined;
    const { value } = await response.body.getReader().read();
    const text = Buffer.from(value ?? []).toString('latin1', 0, 1024);
    await response.body.cancel().catch(() => undefined);
    const [, sha256] = /^oid sha256:([0-9a-f]{64})$/m.exec(text) ?? [];
    const [, size] = /^size (\d+)$/m.exec(text) ?? [];
    return sha256 === undefined || size === undefined ? undefined : { sha256, bytes: Number(size) };
  }

  #resolve(repository: string, revision: string, path: string): string {
    return this.#address(repository, 'resolve', revision, path);
  }

  #address(repository: string, what: string, revision: string, path: string): string {
    return `${this.#url}/${repository}/${what}/${encodeURIComponent(revision)}/${path.split('/').map(encodeURIComponent).join('/')}`;
  }

  /** Follows redirects within the hub, and with `away` also those to other servers, which are not given the token. */
  async #ask(url: string, signal: AbortSignal, init: RequestInit = {}, away = false): Promise<Response> {
    let address = new URL(url);
    for (let hops = 0; hops < 6; hops += 1) {
      const response = await this.#send(address, init, signal);
      const location = response.headers.get('location');
      if (response.status < 300 || response.status >= 400 || location === null) return this.#checked(response, address);
      const next = new URL(location, address);
      if (!away && (next.origin !== address.origin || response.headers.has('x-linked-etag'))) return response;
      await response.body?.cancel();
      address = next;
    }
    throw new HelixError('llm.unavailable', `${this.#url} redirects without end`);
  }

  async #send(address: URL, init: RequestInit, signal: AbortSignal): Promise<Response> {
    const isHub = address.origin === new URL(this.#url).origin;
    const headers = {
      ...(init.headers as Record<string, string> | undefined),
      ...(isHub && this.#token ? { authorization: `Bearer ${this.#token}` } : {}),
    };
    // Only the beginning of the answer is under a clock: a model may take hours.
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Error(`no answer within ${answerMs / 1000} s`)), answerMs);
    try {
      return await fetch(address, {
        ...init,
        headers,
        redirect: 'manual',
        signal: AbortSignal.any([signal, late.signal]),
      });
    } catch (error) {
      signal.throwIfAborted();
      const cause = (error as Error).cause as NodeJS.ErrnoException | undefined;
      throw new HelixError(
        'llm.unavailable',
        `${address.host} cannot be reached (${cause?.code ?? (error as Error).message}): check the network, or name a mirror with HF_ENDPOINT`,
        { cause: error },
      );
    } finally {
      clearTimeout(timer);
    }
  }

  async #checked(response: Response, { host, pathname }: URL): Promise<Response> {
    if (response.ok || response.status === 416) return response;
    const said = response.headers.get('x-error-message') ?? (await response.text().catch(() => '')).slice(0, 300);
    const reason = redactText(said === '' ? `HTTP ${response.status}` : `HTTP ${response.status}: ${said}`);
    if (response.status === 401 || response.status === 403) {
      throw new HelixError(
        'llm.authentication',
        `${host} does not give ${pathname} ${this.#token ? 'for this token' : 'without a token'} (${reason}): ` +
          'it is private, or its terms have to be accepted there; set HF_TOKEN to a token that may read it',
      );
    }
    if (response.status === 404) throw new HelixError('llm.model-not-found', `${host} has no ${pathname} (${reason})`);
    throw new HelixError('llm.unavailable', `${host} failed to give ${pathname} (${reason}): try again later`, {
      details: { status: response.status },
    });
  }
}

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HubFixture {
  /** By path inside the one repository there is, `owner/repository`. */
  files: Record<string, Buffer>;
  /** Asked of everybody. */
  token?: string;
  /** Ends the connection of the CDN after so many bytes of an answer, so many times. */
  cut?: { after: number; times: number };
  /** The CDN sends all of a file whatever it is asked for. */
  ignoresRanges?: boolean;
  /** The hub says nothing of hashes in its headers, as simple mirrors do. */
  withoutHashes?: boolean;
  /** What the CDN has is not what the hub says. */
  damaged?: boolean;
  /** The CDN sends nothing after so many bytes, and keeps the connection open. */
  stallsAfter?: number;
}

export interface HubServer {
  url: string;
  fixture: HubFixture;
  /** Of the hub: method, address and authorization. Of the CDN: the range asked for and the authorization. */
  asked: { method: string; path: string; authorization: string | undefined }[];
  fetched: { path: string; range: string | undefined; authorization: string | undefined }[];
}

const commit = 'c0ffee0000000000000000000000000000000000';
const repository = '/owner/repository';

/** A hub on one origin and its CDN on another, which speak as Hugging Face's do. */
export async function withHub<T>(fixture: HubFixture, use: (hub: HubServer) => Promise<T>): Promise<T> {
  const seen: HubServer = { url: '', fixture, asked: [], fetched: [] };
  const cdn = createServer((request, response) => serveCdn(seen, request, response));
  const cdnUrl = await listen(cdn);
  const hub = createServer((request, response) => serveHub(seen, cdnUrl, request, response));
  seen.url = await listen(hub);
  try {
    return await use(seen);
  } finally {
    for (const server of [hub, cdn]) {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    }
  }
}

function serveHub(seen: HubServer, cdnUrl: string, request: IncomingMessage, response: ServerResponse): void {
  const { pathname } = new URL(request.url!, 'http://hub');
  const { authorization } = request.headers;
  seen.asked.push({ method: request.method!, path: pathname, authorization });
  const { files, token, withoutHashes } = seen.fixture;
  if (token !== undefined && authorization !== `Bearer ${token}`) {
    response.writeHead(401, { 'x-error-code': 'GatedRepo', 'x-error-message': 'Access to this model is restricted.' });
    response.end();
    return;
  }
  if (pathname.startsWith(`/api/models${repository}/tree/`)) {
    const tree = Object.entries(files).map(([path, content]) => ({ type: 'file', path, size: content.length }));
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify([{ type: 'directory', path: 'folder' }, ...tree]));
    return;
  }
  const [, how, path = ''] = /^\/owner\/repository\/(resolve|raw)\/[^/]+\/(.+)$/.exec(pathname) ?? [];
  const content = files[decodeURIComponent(path)];
  if (!content) {
    response.writeHead(404, { 'x-error-message': 'Entry not found' });
    response.end();
    return;
  }
  const sha256 = createHash('sha256').update(content).digest('hex');
  if (how === 'raw') {
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.end(`version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${content.length}\n`);
    return;
  }
  const hashes = { 'x-linked-etag': `"${sha256}"`, 'x-linked-size': String(content.length), 'x-repo-commit': commit };
  response.writeHead(302, { location: `${cdnUrl}/${path}`, ...(withoutHashes ? {} : hashes) });
  response.end();
}

function serveCdn({ fixture, fetched }: HubServer, request: IncomingMessage, response: ServerResponse): void {
  const path = decodeURIComponent(request.url!.slice(1));
  const { range, authorization } = request.headers;
  fetched.push({ path, range, authorization });
  const whole = fixture.files[path]!;
  const content = fixture.damaged ? Buffer.alloc(whole.length, 'x') : whole;
  const from = fixture.ignoresRanges ? 0 : Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
  const rest = content.subarray(from);
  const partial = from > 0 ? { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` } : {};
  response.writeHead(from > 0 ? 206 : 200, { 'content-length': String(rest.length), ...partial });
  const { cut, stallsAfter } = fixture;
  if (cut && cut.times > 0) {
    cut.times -= 1;
    response.write(rest.subarray(0, cut.after), () => setTimeout(() => response.destroy(), 30));
  } else if (stallsAfter !== undefined) response.write(rest.subarray(0, stallsAfter));
  else response.end(rest);
}

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { withApi } from './with-api.ts';

describe('the API, while it is unauthenticated', () => {
  it('answers under loopback names only, so that no rebound DNS name reaches it', () =>
    withApi(async ({ url }) => {
      const { port } = new URL(url);
      for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `LOCALHOST`, `[::1]:${port}`]) {
        assert.equal(await statusWith(url, { host }), 200, host);
      }
      for (const host of [
        `evil.example:${port}`,
        `localhost.evil.example`,
        `127.0.0.1.nip.io:${port}`,
        `192.168.1.2:${port}`,
      ]) {
        assert.equal(await statusWith(url, { host }), 403, host);
      }
    }));

  it('refuses what other web pages make a browser send', () =>
    withApi(async ({ url }) => {
      const { host, port } = new URL(url);
      assert.equal(await statusWith(url, { host, origin: url }), 200);
      for (const origin of [
        'https://evil.example',
        'null',
        `http://localhost:${Number(port) + 1}`,
        `https://${host}`,
      ]) {
        assert.equal(await statusWith(url, { host, origin }), 403, origin);
      }
      assert.equal(await statusWith(url, { host, 'sec-fetch-site': 'cross-site' }), 403);
      assert.equal(await statusWith(url, { host, 'sec-fetch-site': 'same-origin' }), 200);
    }));

  it('tells browsers not to guess, run, frame or keep what it answers', () =>
    withApi(async ({ url }) => {
      const { headers } = await fetch(`${url}/v1/health`);
      assert.match(headers.get('content-security-policy') ?? '', /default-src 'none'.*sandbox/);
      assert.equal(headers.get('x-content-type-options'), 'nosniff');
      assert.equal(headers.get('cache-control'), 'no-store');
      assert.equal(headers.get('x-powered-by'), null);
      assert.equal(headers.get('access-control-allow-origin'), null);
    }));
});

/** `fetch` does not let a Host header through. */
async function statusWith(url: string, headers: Record<string, string>): Promise<number> {
  const sent = request(`${url}/v1/health`, { headers }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.resume();
  return response.statusCode!;
}

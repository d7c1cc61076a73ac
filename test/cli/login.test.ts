import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { FileTokenStore } from '../../llm/auth/file-token-store.ts';
import { login } from '../../llm/login.ts';
import { echoingModels } from '../api/controls.ts';
import { withApi } from '../api/with-api.ts';
import { type ReceivedRequest, sendJson, withContractServer } from '../llm/support/contract-server.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { helix, type HelixOutput } from './helix.ts';

interface Login {
  helix(args: string[], onOutput?: Parameters<typeof helix>[1]): Promise<HelixOutput>;
  tokens: FileTokenStore;
  forgotten: string[];
  requests: ReceivedRequest[];
}

const granted = { access_token: 'secret-token', refresh_token: 'r', expires_in: 3600 };

/** The real command, API and device flow; the issuer is a server here, which answers for a token with `grant`. */
async function withIssuer(
  grant: (asked: number, response: ServerResponse) => void,
  use: (login: Login) => Promise<void>,
): Promise<void> {
  let asked = 0;
  await withTempDir(async (directory) => {
    await withContractServer(
      ({ path, headers }, response) => {
        if (path === '/token') return grant((asked += 1), response);
        const verification_uri = `http://${headers.host}/device`;
        const code = { device_code: 'd', user_code: 'ABCD-1234', verification_uri, expires_in: 60, interval: 0 };
        return sendJson(response, 200, code);
      },
      async (issuer) => {
        const tokens = new FileTokenStore(directory);
        const forgotten: string[] = [];
        const pool = { tokens, forget: (name: string) => void forgotten.push(name) };
        const endpoints = { codeEndpoint: `${issuer.url}/code`, tokenEndpoint: `${issuer.url}/token` };
        const issuers = { qwen: endpoints, copilot: endpoints };
        await withApi(
          ({ url }) =>
            use({
              tokens,
              forgotten,
              requests: issuer.requests,
              helix: (args, options) => helix(['--api', url, 'login', ...args], options),
            }),
          (deps) => ({
            ...deps,
            models: { ...echoingModels, login: (request, signal) => login(pool, request, signal, issuers) },
          }),
        );
      },
    );
  });
}

const pending = (response: ServerResponse): void => sendJson(response, 400, { error: 'authorization_pending' });

describe('helix login', () => {
  for (const provider of ['qwen', 'copilot'])
    it(`shows code and address, waits for the browser and keeps the token of ${provider}, which it never shows`, () =>
      withIssuer(
        (asked, response) => (asked < 3 ? pending(response) : sendJson(response, 200, granted)),
        async (login) => {
          const { code, stdout, stderr } = await login.helix([provider]);
          assert.equal(code, 0, stderr);
          assert.match(stdout, /Open http:\/\/127\.0\.0\.1:\d+\/device in a browser and enter the code ABCD-1234/);
          assert.match(stdout, new RegExp(`logged in to ${provider}`));
          assert.doesNotMatch(stdout + stderr, /secret-token/);
          assert.equal((await login.tokens.get(provider))?.accessToken, 'secret-token');
          assert.deepEqual(login.forgotten, [provider]);
        },
      ));

  it('prints JSON lines for programs', () =>
    withIssuer(
      (_, response) => sendJson(response, 200, granted),
      async (login) => {
        const lines = (await login.helix(['qwen', '--json'])).stdout.trim().split('\n');
        const events = lines.map((line) => JSON.parse(line) as { type: string; userCode?: string });
        assert.deepEqual(
          events.map(({ type }) => type),
          ['code', 'done'],
        );
        assert.equal(events[0]!.userCode, 'ABCD-1234');
      },
    ));

  it('says that the user has declined, and keeps nothing', () =>
    withIssuer(
      (_, response) => sendJson(response, 400, { error: 'access_denied' }),
      async (login) => {
        const { code, stderr } = await login.helix(['qwen']);
        assert.equal(code, 1);
        assert.match(stderr, /declined|denied|refused/i);
        assert.equal(await login.tokens.get('qwen'), undefined);
      },
    ));

  it('leaves with Ctrl-C and asks the issuer no more', () =>
    withIssuer(
      (_, response) => pending(response),
      async (login) => {
        const { code, stderr } = await login.helix(['qwen'], {
          onOutput: (stdout, child) => {
            if (stdout.includes('ABCD')) child.kill('SIGINT');
          },
        });
        assert.equal(code, 130, stderr);
        assert.match(stderr, /left without a login/);
        await new Promise((resolve) => setTimeout(resolve, 200));
        const asked = login.requests.length;
        await new Promise((resolve) => setTimeout(resolve, 500));
        assert.equal(login.requests.length, asked);
        assert.equal(await login.tokens.get('qwen'), undefined);
      },
    ));

  it('names the providers one logs in to', () =>
    withIssuer(
      (_, response) => pending(response),
      async (login) => {
        const { code, stderr } = await login.helix(['openai']);
        assert.equal(code, 2);
        assert.match(stderr, /qwen or copilot/);
      },
    ));
});

import assert from 'node:assert/strict';
import type { LlmRequestInput } from '../../contracts/llm.ts';
import { FileTokenStore } from '../../llm/auth/file-token-store.ts';
import { loginQwen } from '../../llm/auth/qwen.ts';
import { openQwen } from '../../llm/providers/qwen/provider.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { behavesAsProvider } from './support/behaviour.ts';
import { sendEvents, sendJson, withContractServer } from './support/contract-server.ts';
import { canaryKey, failure, request, textOf } from './support/requests.ts';

describe('qwen, against a scripted server', () => {
  behavesAsProvider({
    model: 'qwen3-coder-plus',
    path: '/chat/completions',
    open: (settings, url) => openQwen({ ...settings, baseUrl: `${url}/v1` }),
  });
});

const answered = [{ choices: [{ delta: { content: 'Hi' }, finish_reason: 'stop' }] }];

describe('qwen, with a login', () => {
  it('logs in, calls the address that belongs to the token, and renews the token before it expires', async () => {
    const grants = [
      { access_token: 'first', refresh_token: 'r1', expires_in: 30 },
      { access_token: 'second', refresh_token: 'r2', expires_in: 3600 },
    ];
    await withTempDir(async (directory) => {
      await withContractServer(
        ({ path, headers }, response) => {
          const here = `http://${headers.host}`;
          if (path === '/code') {
            return sendJson(response, 200, {
              device_code: 'd',
              user_code: 'U',
              verification_uri: here,
              expires_in: 60,
              interval: 0,
            });
          }
          if (path === '/token') return sendJson(response, 200, { ...grants.shift(), resource_url: here });
          return sendEvents(response, answered);
        },
        async ({ url, requests }) => {
          const tokens = new FileTokenStore(directory);
          const issuer = { codeEndpoint: `${url}/code`, tokenEndpoint: `${url}/token` };
          await loginQwen(tokens, { tell: ({ userCode }) => assert.equal(userCode, 'U') }, issuer);
          const provider = openQwen({ tokens, issuer });
          // The first token is good for half a minute only, which is too short for a call.
          assert.equal(textOf(await provider.generate(request('coder-model', 'Hi'))), 'Hi');
          const refresh = new URLSearchParams(requests[2]?.raw);
          assert.deepEqual([refresh.get('grant_type'), refresh.get('refresh_token')], ['refresh_token', 'r1']);
          const call = requests[3];
          assert.equal(call?.path, '/v1/chat/completions');
          assert.equal(call.headers['authorization'], 'Bearer second');
          assert.equal(call.headers['x-dashscope-authtype'], 'qwen-oauth');
          assert.equal((await tokens.get('qwen'))?.refreshToken, 'r2');
        },
      );
    });
  });

  it('renews a token that is refused early, and calls once more', async () => {
    await withTempDir(async (directory) => {
      const tokens = new FileTokenStore(directory);
      await tokens.put('qwen', { accessToken: canaryKey, refreshToken: 'r', expiresAt: Date.now() + 3_600_000 });
      await withContractServer(
        ({ path, headers }, response) => {
          if (path === '/token') return sendJson(response, 200, { access_token: 'fresh', expires_in: 3600 });
          return headers['authorization'] === 'Bearer fresh'
            ? sendEvents(response, answered)
            : sendJson(response, 401, { error: { message: `token ${canaryKey} revoked` } });
        },
        async ({ url, requests }) => {
          const provider = openQwen({ baseUrl: url, tokens, issuer: { tokenEndpoint: `${url}/token` } });
          assert.equal(textOf(await provider.generate(request('coder-model', 'Hi'))), 'Hi');
          assert.deepEqual(
            requests.map(({ path }) => path),
            ['/chat/completions', '/token', '/chat/completions'],
          );
          assert.equal((await tokens.get('qwen'))?.refreshToken, 'r');
        },
      );
    });
  });

  it('says to log in when nobody is logged in, or the login has ended, and shows no token', async () => {
    await withTempDir(async (directory) => {
      const tokens = new FileTokenStore(directory);
      await failure('llm.not-configured', openQwen({ tokens }).generate(request('coder-model', 'Hi')));
      await withContractServer(
        (_, response) => sendJson(response, 400, { error: 'invalid_grant', error_description: canaryKey }),
        async ({ url }) => {
          await tokens.put('qwen', { accessToken: canaryKey, refreshToken: canaryKey, expiresAt: 1 });
          const provider = openQwen({ tokens, issuer: { tokenEndpoint: url } });
          const error = await failure('llm.authentication', provider.generate(request('coder-model', 'Hi')));
          assert.match(error.message, /Log in again/);
          assert.equal((await provider.getHealth()).status, 'unconfigured');
        },
      );
    });
  });
});

describe('qwen, as it is asked', () => {
  it('switches thinking as it is wished, and marks what may be cached', async () => {
    await withContractServer(
      (_, response) => sendEvents(response, answered),
      async ({ url, requests }) => {
        const provider = openQwen({ baseUrl: url, apiKey: canaryKey });
        const ask = async (model: string, more: Partial<LlmRequestInput>) => {
          await provider.generate(request(model, 'Hi', more));
          return requests.at(-1)?.body as Record<string, unknown>;
        };
        const on = await ask('qwen3-max', { thinking: { mode: 'on', budgetTokens: 2000 } });
        assert.deepEqual([on['enable_thinking'], on['thinking_budget']], [true, 2000]);
        assert.equal((await ask('qwen3-max', { thinking: { mode: 'off' } }))['enable_thinking'], false);
        assert.ok(!('enable_thinking' in (await ask('qwen3-max', {}))));
        assert.ok(!('enable_thinking' in (await ask('glm-4.6', { thinking: { mode: 'on' } }))));
        assert.deepEqual(on['messages'], [
          { role: 'user', content: [{ type: 'text', text: 'Hi', cache_control: { type: 'ephemeral' } }] },
        ]);
        assert.equal(requests[0]?.headers['x-dashscope-cachecontrol'], 'enable');
      },
    );
  });
});

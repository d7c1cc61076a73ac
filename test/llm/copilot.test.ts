import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import type { LlmRequestInput } from '../../contracts/llm.ts';
import { loginCopilot } from '../../llm/auth/copilot.ts';
import { FileTokenStore } from '../../llm/auth/file-token-store.ts';
import { openCopilot } from '../../llm/providers/copilot/provider.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { sendEvents, sendJson, withContractServer } from './support/contract-server.ts';
import type { ReceivedRequest } from './support/contract-server.ts';
import { assertNoCanary, canaryKey, failure, request, textOf } from './support/requests.ts';

const answered = [{ choices: [{ delta: { content: 'Hi' }, finish_reason: 'stop' }] }];
const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;

interface Lab {
  url: string;
  requests: ReceivedRequest[];
  tokens: FileTokenStore;
  issuer: { codeEndpoint: string; tokenEndpoint: string; exchangeEndpoint: string };
}

/** A server that is GitHub and Copilot at once; `more` answers first where it does. */
async function withGithub(
  use: (lab: Lab) => Promise<void>,
  more: (received: ReceivedRequest, response: ServerResponse) => boolean = () => false,
): Promise<void> {
  let exchanges = 0;
  await withTempDir((directory) =>
    withContractServer(
      (received, response) => {
        if (more(received, response)) return;
        switch (received.path) {
          case '/code':
            return sendJson(response, 200, {
              device_code: 'd',
              user_code: 'U',
              verification_uri: 'https://github.com/login/device',
              expires_in: 60,
              interval: 0,
            });
          case '/token':
            return sendJson(response, 200, { access_token: canaryKey, token_type: 'bearer', scope: '' });
          case '/exchange':
            return sendJson(response, 200, {
              token: `session ${++exchanges}`,
              expires_at: inSeconds(1800),
              endpoints: { api: `http://${received.headers.host}/api` },
            });
          default:
            return sendEvents(response, answered);
        }
      },
      ({ url, requests }) => {
        const issuer = {
          codeEndpoint: `${url}/code`,
          tokenEndpoint: `${url}/token`,
          exchangeEndpoint: `${url}/exchange`,
        };
        return use({ url, requests, tokens: new FileTokenStore(directory), issuer });
      },
    ),
  );
}

describe('GitHub Copilot', () => {
  it('logs in, exchanges the token once, and calls the address that belongs to it with the headers it wants', async () => {
    await withGithub(async ({ requests, tokens, issuer }) => {
      await loginCopilot(tokens, { tell: ({ userCode }) => assert.equal(userCode, 'U') }, issuer);
      const provider = openCopilot({ tokens, issuer });
      for (const _ of [1, 2]) assert.equal(textOf(await provider.generate(request('gpt-4.1', 'Hi'))), 'Hi');
      assert.deepEqual(
        requests.map(({ path }) => path),
        ['/code', '/token', '/exchange', ...Array<string>(2).fill('/api/chat/completions')],
      );
      assert.equal(requests[2]?.headers['authorization'], `token ${canaryKey}`);
      const { headers = {} } = requests[3] ?? {};
      assert.equal(headers['authorization'], 'Bearer session 1');
      assert.match(String(headers['editor-version']), /^vscode\//);
      assert.equal(headers['copilot-integration-id'], 'vscode-chat');
      assert.equal(headers['x-initiator'], 'user');
      assert.equal(headers['copilot-vision-request'], undefined);
    });
  });

  it('exchanges the token anew before it expires, and when it is refused', async () => {
    const refuses = (received: ReceivedRequest, response: ServerResponse) => {
      if (received.headers['authorization'] !== 'Bearer session 1') return false;
      sendJson(response, 401, { error: { message: 'token expired' } });
      return true;
    };
    await withGithub(async ({ requests, tokens, issuer }) => {
      await tokens.put('copilot', { accessToken: canaryKey });
      await tokens.put('copilot-session', { accessToken: 'nearly over', expiresAt: Date.now() + 20_000 });
      const provider = openCopilot({ tokens, issuer });
      assert.equal(textOf(await provider.generate(request('gpt-4.1', 'Hi'))), 'Hi');
      assert.deepEqual(
        requests.map(({ path, headers }) => `${path} ${headers['authorization']}`),
        [
          `/exchange token ${canaryKey}`,
          '/api/chat/completions Bearer session 1',
          `/exchange token ${canaryKey}`,
          '/api/chat/completions Bearer session 2',
        ],
      );
    }, refuses);
  });

  it('does not go on with the session of another account', async () => {
    await withGithub(async ({ requests, tokens, issuer }) => {
      const ask = (apiKey?: string) => openCopilot({ apiKey, tokens, issuer }).generate(request('gpt-4.1', 'Hi'));
      const sessions = async () => {
        await loginCopilot(tokens, { tell: () => undefined }, issuer);
        await ask();
        await ask('of somebody else');
        await ask('of somebody else');
        return requests.splice(0).filter(({ path }) => path === '/exchange').length;
      };
      assert.equal(await sessions(), 2);
      assert.equal(await sessions(), 1);
    });
  });

  it('says to log in, or that the account has no Copilot, and shows no token', async () => {
    const replies = [
      { status: 401, body: { message: `Bad credentials ${canaryKey}` } },
      { status: 403, body: { error_details: { message: 'No access to Copilot found.' } } },
      { status: 404, body: { message: 'Not Found' } },
      { status: 500, body: {} },
    ];
    const refuses = ({ path }: ReceivedRequest, response: ServerResponse) => {
      const reply = path === '/exchange' ? replies.shift() : undefined;
      if (reply) sendJson(response, reply.status, reply.body);
      return reply !== undefined;
    };
    await withGithub(async ({ tokens, issuer }) => {
      const ask = (apiKey?: string) => openCopilot({ apiKey, tokens, issuer }).generate(request('gpt-4.1', 'Hi'));
      await failure('llm.not-configured', ask());
      await failure('llm.not-configured', openCopilot({}).generate(request('gpt-4.1', 'Hi')));
      await failure('llm.authentication', ask(canaryKey));
      const without = await failure('llm.authentication', ask(canaryKey));
      assert.match(without.message, /No access to Copilot found/);
      await failure('llm.authentication', ask(canaryKey));
      await failure('llm.unavailable', ask(canaryKey));
    }, refuses);
  });

  it('says who begins a turn, and that there are images', async () => {
    await withGithub(async ({ requests, tokens, issuer }) => {
      const image = { type: 'image' as const, mediaType: 'image/png' as const, data: 'iVBORw0KGgo=' };
      const messages: LlmRequestInput['messages'] = [
        { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
        { role: 'assistant', content: [{ type: 'tool-call', id: 'a', name: 'shot', arguments: {} }] },
        { role: 'tool', content: [{ type: 'tool-result', callId: 'a', name: 'shot', content: [image] }] },
      ];
      await openCopilot({ apiKey: canaryKey, tokens, issuer }).generate(request('gpt-4.1', messages));
      const { headers = {} } = requests.at(-1) ?? {};
      assert.deepEqual([headers['x-initiator'], headers['copilot-vision-request']], ['agent', 'true']);
    });
  });

  it('speaks the Responses API with the models that know nothing else, and gives reasoning of others back', async () => {
    const response = { status: 'completed', output: [], model: 'gpt-5.1-codex' };
    const thinks = [
      { choices: [{ delta: { reasoning_text: 'Hm.', reasoning_opaque: 'sig+/==' } }] },
      { choices: [{ delta: { content: 'Yes.' }, finish_reason: 'stop' }] },
    ];
    const speaks = ({ path }: ReceivedRequest, answer: ServerResponse) => {
      if (!path.startsWith('/api')) return false;
      sendEvents(answer, path === '/api/responses' ? [{ type: 'response.completed', response }] : thinks);
      return true;
    };
    await withGithub(async ({ requests, tokens, issuer }) => {
      const provider = openCopilot({ apiKey: canaryKey, tokens, issuer });
      await provider.generate(request('gpt-5.1-codex', 'Hi'));
      assert.equal(requests.at(-1)?.path, '/api/responses');
      const asked = request('claude-sonnet-4.5', 'Hi');
      const { message } = await provider.generate(asked);
      await provider.generate(request('claude-sonnet-4.5', [...asked.messages, message, ...asked.messages]));
      const [, back] = (requests.at(-1)?.body as { messages: Record<string, unknown>[] } | undefined)?.messages ?? [];
      assert.deepEqual(back, {
        role: 'assistant',
        content: 'Yes.',
        reasoning_text: 'Hm.',
        reasoning_opaque: 'sig+/==',
      });
    }, speaks);
  });

  it('lists its models, and is unhealthy in words without a login', async () => {
    const data = [
      {
        id: 'claude-sonnet-4.5',
        name: 'Claude Sonnet 4.5',
        capabilities: {
          limits: { max_context_window_tokens: 128_000, max_output_tokens: 16_000 },
          supports: { tool_calls: true, vision: true },
        },
      },
    ];
    const lists = ({ path }: ReceivedRequest, response: ServerResponse) => {
      if (path === '/api/models') sendJson(response, 200, { data });
      return path === '/api/models';
    };
    await withGithub(async ({ tokens, issuer }) => {
      const [model] = await openCopilot({ apiKey: canaryKey, tokens, issuer }).getModels();
      assert.deepEqual(
        [model?.contextTokens, model?.maxOutputTokens, model?.tools, model?.vision],
        [128_000, 16_000, true, true],
      );
      const health = await openCopilot({ issuer }).getHealth();
      assert.equal(health.status, 'unconfigured');
      assertNoCanary(health);
    }, lists);
  });
});

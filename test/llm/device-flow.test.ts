import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { runDeviceFlow } from '../../llm/auth/device-flow.ts';
import type { DeviceCode, DeviceFlow } from '../../llm/auth/device-flow.ts';
import { sendJson, withContractServer } from './support/contract-server.ts';
import type { ReceivedRequest } from './support/contract-server.ts';
import { canaryKey, failure } from './support/requests.ts';

type Reply = { status?: number; body: object } | 'dropped';

const pending: Reply = { status: 400, body: { error: 'authorization_pending' } };
const granted: Reply = { body: { access_token: 'token', expires_in: 3600 } };
const begun = {
  device_code: canaryKey,
  user_code: 'ABCD-EFGH',
  verification_uri: 'https://example.org/device',
  verification_uri_complete: 'https://example.org/device?code=ABCD-EFGH',
  expires_in: 600,
  interval: 5,
};

/** Logs in at an issuer that answers the questions for the token one after the other, without waiting in between. */
async function login(replies: Reply[], more: { begin?: Reply; flow?: Partial<DeviceFlow>; signal?: AbortSignal } = {}) {
  const told: DeviceCode[] = [];
  const waits: number[] = [];
  const run = async (url: string, requests: readonly ReceivedRequest[]) => {
    const flow: DeviceFlow = {
      provider: 'lab',
      codeEndpoint: `${url}/code`,
      tokenEndpoint: `${url}/token`,
      clientId: 'client',
      scope: 'all',
      pkce: true,
      intervalMs: 2000,
      ...more.flow,
    };
    const answer = await runDeviceFlow(flow, {
      tell: (code) => void told.push(code),
      wait: async (ms) => void waits.push(ms),
      ...(more.signal ? { signal: more.signal } : {}),
    });
    return { answer, told, waits, forms: requests.map(({ raw }) => new URLSearchParams(raw)) };
  };
  return withContractServer(
    ({ path }, response) => {
      const reply = path === '/code' ? (more.begin ?? { body: begun }) : (replies.shift() ?? granted);
      if (reply === 'dropped') response.destroy();
      else sendJson(response, reply.status ?? 200, reply.body);
    },
    ({ url, requests }) => run(url, requests),
  );
}

describe('the device flow', () => {
  it('tells the code and the address, asks until the user has agreed, and proves that it began the flow', async () => {
    const { answer, told, waits, forms } = await login([pending, pending, granted]);
    assert.equal(answer['access_token'], 'token');
    assert.equal(told[0]?.userCode, 'ABCD-EFGH');
    assert.equal(told[0].address, 'https://example.org/device');
    assert.equal(told[0].completeAddress, 'https://example.org/device?code=ABCD-EFGH');
    assert.deepEqual(waits, [5000, 5000, 5000]);
    const [first, second] = forms;
    assert.equal(first?.get('client_id'), 'client');
    assert.equal(first.get('code_challenge_method'), 'S256');
    assert.equal(second?.get('device_code'), canaryKey);
    const verifier = second.get('code_verifier') ?? '';
    assert.ok(verifier.length >= 43);
    assert.equal(createHash('sha256').update(verifier).digest('base64url'), first.get('code_challenge'));
  });

  it('asks less often when it is told to, by five seconds or as the issuer says', async () => {
    const slower: Reply = { status: 429, body: { error: 'slow_down' } };
    const { waits } = await login([slower, pending, { body: { error: 'slow_down', interval: 17 } }, granted]);
    assert.deepEqual(waits, [5000, 10_000, 10_000, 17_000]);
  });

  it('goes on while the issuer is away, more and more slowly', async () => {
    const { waits, answer } = await login(['dropped', { status: 503, body: {} }, granted]);
    assert.deepEqual(waits, [5000, 10_000, 20_000]);
    assert.equal(answer['access_token'], 'token');
  });

  it('ends when the user declines, when the code expires, and when it would', async () => {
    const declined = await failure('llm.authentication', login([{ status: 400, body: { error: 'access_denied' } }]));
    assert.match(declined.message, /declined/);
    const expired = await failure('llm.authentication', login([{ status: 400, body: { error: 'expired_token' } }]));
    assert.match(expired.message, /expired/);
    const begin = { body: { ...begun, expires_in: 3 } };
    const wouldExpire = await failure('llm.authentication', login([pending], { begin }));
    assert.match(wouldExpire.message, /expired/);
  });

  it('ends with the words of the issuer for what it does not know, without the code', async () => {
    const odd = { status: 400, body: { error: 'invalid_client', error_description: `no client ${canaryKey}` } };
    const error = await failure('llm.invalid-request', login([odd]));
    assert.match(error.message, /invalid_client: no client \[redacted\]/);
    await failure('llm.unavailable', login([], { begin: { status: 500, body: {} } }));
    await failure('llm.invalid-request', login([], { begin: { body: { error: 'unauthorized_client' } } }));
  });

  it('ends with the reason of the signal', async () => {
    const controller = new AbortController();
    const reason = new Error('the user gave up');
    const waiting = withContractServer(
      (_, response) => sendJson(response, 200, { ...begun, interval: 60 }),
      async ({ url }) =>
        runDeviceFlow(
          {
            provider: 'lab',
            codeEndpoint: url,
            tokenEndpoint: url,
            clientId: 'c',
            scope: '',
            pkce: false,
            intervalMs: 1,
          },
          { tell: () => controller.abort(reason), signal: controller.signal },
        ),
    );
    await assert.rejects(waiting, reason);
  });
});

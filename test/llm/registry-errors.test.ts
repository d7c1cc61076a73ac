import assert from 'node:assert/strict';
import { HelixError } from '../../contracts/error.ts';
import { httpError, malformedAnswer, thrownError } from '../../llm/providers/errors.ts';
import { retryAfterMs } from '../../llm/providers/retry-after.ts';
import { assertNoCanary, canaryKey } from './support/requests.ts';

const context = { provider: 'anthropic', model: 'claude-opus-5', secrets: [canaryKey, undefined, ''] };
const now = Date.parse('2026-11-21T12:00:00Z');
const wait = (headers: Record<string, string>): number | undefined => retryAfterMs(new Headers(headers), now);

describe('the time to wait', () => {
  it('is read from seconds, from a date, and from milliseconds before both', () => {
    assert.equal(wait({ 'retry-after': '259200' }), 259_200_000);
    assert.equal(wait({ 'retry-after': '1.5' }), 1500);
    assert.equal(wait({ 'retry-after': 'Sat, 21 Nov 2026 12:01:00 GMT' }), 60_000);
    assert.equal(wait({ 'retry-after': '7', 'retry-after-ms': '250' }), 250);
  });

  it('is never negative, and unknown where nothing can be read', () => {
    assert.equal(wait({ 'retry-after': 'Fri, 20 Nov 2026 12:00:00 GMT' }), 0);
    assert.equal(wait({ 'retry-after': '0' }), 0);
    for (const value of ['soon', '-5', '']) assert.equal(wait({ 'retry-after': value }), undefined);
    assert.equal(retryAfterMs(undefined), undefined);
  });
});

describe('errors of providers', () => {
  const codes: [number, unknown, Record<string, string>, string][] = [
    [401, '', {}, 'llm.authentication'],
    [402, { error: { message: 'pay' } }, {}, 'llm.quota-exceeded'],
    [403, { error: { message: 'Input was flagged by moderation' } }, {}, 'llm.invalid-request'],
    [404, '<html>Not here</html>', {}, 'llm.model-not-found'],
    [400, { error: { code: 'model_not_found', message: 'The model `x` does not exist' } }, {}, 'llm.model-not-found'],
    [400, { error: { code: 'context_length_exceeded', message: 'too long' } }, {}, 'llm.context-exceeded'],
    [400, 'input length and `max_tokens` exceed context limit: 1 + 2 > 2', {}, 'llm.context-exceeded'],
    [400, 'this is not JSON', {}, 'llm.invalid-request'],
    [400, 'one report per day', {}, 'llm.invalid-request'],
    [408, '', {}, 'llm.unavailable'],
    [422, { detail: 'bad field' }, {}, 'llm.invalid-request'],
    [429, { error: { code: 'insufficient_quota', message: 'no' } }, {}, 'llm.quota-exceeded'],
    [429, { error: { message: 'slow' } }, {}, 'llm.rate-limited'],
    [500, '', {}, 'llm.unavailable'],
    [502, '<html>', {}, 'llm.unavailable'],
    [503, '', { 'retry-after': '3' }, 'llm.overloaded'],
    [503, '', {}, 'llm.unavailable'],
    [503, { error: { message: 'The model is overloaded.' } }, {}, 'llm.overloaded'],
    [529, '', {}, 'llm.overloaded'],
    [302, '', {}, 'llm.unavailable'],
  ];
  for (const [status, body, headers, code] of codes) {
    it(`HTTP ${status} with ${JSON.stringify(body)} ${JSON.stringify(headers)} is ${code}`, () => {
      const error = httpError(context, { status, body, headers: new Headers(headers) });
      assert.equal(error.code, code);
      assert.match(error.message, /anthropic/);
    });
  }

  it('never hold the key, wherever the vendor put it', () => {
    const vendor = Object.assign(new Error(`401 for ${canaryKey}`), {
      status: 401,
      headers: new Headers({ authorization: `Bearer ${canaryKey}`, 'request-id': canaryKey }),
      error: { error: { message: `invalid x-api-key ${canaryKey}` } },
      request: { headers: { 'x-api-key': canaryKey } },
    });
    const refused = thrownError(context, vendor);
    assert.equal(refused.code, 'llm.authentication');
    assertNoCanary(refused);
    const network = Object.assign(new TypeError('fetch failed'), {
      cause: Object.assign(new Error(`connect to ${canaryKey}`), { code: 'ECONNREFUSED', headers: { key: canaryKey } }),
    });
    const unreachable = thrownError(context, network);
    assert.deepEqual([unreachable.code, unreachable.details['reason']], ['llm.unavailable', 'ECONNREFUSED']);
    assertNoCanary(unreachable);
    assertNoCanary(thrownError(context, { odd: canaryKey }));
    assertNoCanary(malformedAnswer(context, `said ${canaryKey}`, new SyntaxError(`Unexpected token ${canaryKey}`)));
  });

  it('that are ours already stay as they are', () => {
    const ours = new HelixError('llm.unsupported', 'no images');
    assert.equal(thrownError(context, new Error('wrapped', { cause: ours })), ours);
  });

  it('keep the stack of what went wrong, for those who look for a mistake of ours', () => {
    const bug = new TypeError("Cannot read properties of undefined (reading 'content')");
    const error = thrownError(context, bug);
    assert.equal(error.code, 'llm.malformed-answer');
    assert.ok(error.cause instanceof Error && error.cause.stack?.includes('registry-errors.test.ts'));
  });
});

import assert from 'node:assert/strict';
import { HelixError } from '../../contracts/error.ts';
import { splitContext } from '../../llm/context/budget.ts';
import { TokenEstimator } from '../../llm/context/tokens.ts';
import { cpuMs } from '../support/cpu.ts';

const code = `export function parse(text: string, options: ParseOptions = {}): Result<Node[]> {
  const tokens = tokenize(text);
  if (tokens.length === 0) return { ok: false, error: new SyntaxError('nothing to parse') };
  return { ok: true, value: tokens.map((token, index) => toNode(token, index + 1)) };
}
`;

describe('an estimate of tokens', () => {
  // Counted with o200k_base.
  const counted: [string, string, number][] = [
    ['code', code, 79],
    ['prose', 'The quick brown fox jumps over the lazy dog, and then it sleeps until the morning comes.', 19],
    ['Chinese', '模型可以调用工具，并且在执行之前需要得到用户的许可。预算用完时任务会暂停。', 23],
    ['Russian', 'Модель может вызывать инструменты, и перед выполнением требуется разрешение пользователя.', 17],
  ];
  for (const [what, text, tokens] of counted) {
    it(`is within a third for ${what}, before anything was learned`, () => {
      const estimate = new TokenEstimator('openai/gpt-5').text(text);
      assert.ok(estimate > tokens * 0.75 && estimate < tokens * 1.34, `${estimate} for ${tokens}`);
    });
  }

  it('is of the order of a millisecond for a long conversation', () => {
    const text = code.repeat(2_000);
    const estimator = new TokenEstimator('anthropic/claude-sonnet-4-5');
    estimator.text(text);
    const start = process.cpuUsage();
    estimator.text(text);
    assert.ok(cpuMs(start) < 100, `${cpuMs(start)} ms`);
  });

  it('comes nearer with every usage that a provider reports, and one odd report does not spoil it', () => {
    const estimator = new TokenEstimator('a/unheard-of');
    const real = 2_000;
    const text = code.repeat(20);
    for (let call = 0; call < 3; call++) estimator.observe(estimator.text(text), { input: real });
    assert.ok(Math.abs(estimator.text(text) - real) < real * 0.02, `${estimator.text(text)}`);
    estimator.observe(estimator.text(text), { input: real * 2 });
    assert.ok(estimator.text(text) < real * 1.25);
    estimator.observe(10, { input: 1_000_000 });
    assert.ok(estimator.text(text) < real * 1.25, 'tiny prompts say nothing');
  });

  it('goes on from what was learned before', () => {
    const first = new TokenEstimator('openai/gpt-5');
    first.observe(first.text(code.repeat(20)), { input: 5_000 });
    const second = new TokenEstimator('openai/gpt-5', JSON.parse(JSON.stringify(first.calibration)));
    assert.equal(second.text(code), first.text(code));
    assert.notEqual(second.text(code), new TokenEstimator('openai/gpt-5').text(code));
  });

  it('counts images, calls, results, tools and what providers want back', () => {
    const estimator = new TokenEstimator('openai/gpt-5');
    const image = { type: 'image' as const, mediaType: 'image/png' as const, data: 'A'.repeat(1_000_000) };
    const plain = estimator.message({ role: 'user', content: [{ type: 'text', text: code }] });
    const pictured = estimator.message({ role: 'user', content: [{ type: 'text', text: code }, image] });
    assert.equal(pictured - plain, estimator.imageTokens, 'an image counts the same, however many bytes it has');
    const signed = estimator.message({
      role: 'assistant',
      content: [{ type: 'thinking', text: '', opaque: { provider: 'anthropic', data: 'A'.repeat(6_000) } }],
    });
    assert.ok(signed > 500);
    const called = estimator.message({
      role: 'assistant',
      content: [{ type: 'tool-call', id: '1', name: 'write', arguments: { path: 'a.ts', text: code } }],
    });
    assert.ok(called > plain);
    const request = {
      system: code,
      messages: [],
      tools: [{ name: 'write', description: code, parameters: { type: 'object', properties: {} } }],
    };
    assert.ok(estimator.request(request) > 2 * estimator.text(code));
  });
});

describe('a context window', () => {
  it('is divided without anything left over or taken twice', () => {
    for (const contextTokens of [8_192, 32_768, 200_000, 2_000_000]) {
      const shares = splitContext({ contextTokens, system: 1_500, tools: 1_200 });
      const sum = Object.values(shares).reduce((a, b) => a + b, 0);
      assert.equal(sum, contextTokens);
      assert.ok(Object.values(shares).every((share) => share >= 0));
      assert.ok(shares.map <= 8_192 && shares.conversation > shares.map);
    }
  });

  it('leaves no more for the answer than the model can give', () => {
    assert.equal(splitContext({ contextTokens: 200_000, system: 0, tools: 0, maxOutputTokens: 4_096 }).answer, 4_096);
    assert.equal(splitContext({ contextTokens: 8_000, system: 0, tools: 0 }).answer, 2_000);
  });

  it('that has no room for a conversation is refused with what takes the room', () => {
    assert.throws(
      () => splitContext({ contextTokens: 4_096, system: 1_500, tools: 1_200 }),
      (error: unknown) =>
        error instanceof HelixError && error.code === 'llm.context-exceeded' && /tools 1200/.test(error.message),
    );
  });
});

import assert from 'node:assert/strict';
import { HelixError } from '../../contracts/error.ts';
import { messageSchema } from '../../contracts/llm.ts';
import type { Message } from '../../contracts/llm.ts';
import { compress } from '../../llm/context/compress.ts';
import type { CompressLimits, Compressed, CompressOptions } from '../../llm/context/compress.ts';
import { summarisedMessages } from '../../llm/context/summary.ts';
import { TokenEstimator } from '../../llm/context/tokens.ts';
import { imagesOf } from '../../llm/context/units.ts';

const estimator = new TokenEstimator('openai/gpt-5');
const user = (text: string, images = 0): Message => ({
  role: 'user',
  content: [{ type: 'text', text }, ...Array.from({ length: images }, () => image)],
});
const image = { type: 'image' as const, mediaType: 'image/png' as const, data: 'aGVsbG8=' };
const says = (text: string): Message => ({ role: 'assistant', content: [{ type: 'text', text }] });
let calls = 0;

function call(name: string, args: Record<string, string>, output: string, images = 0): Message[] {
  const id = `call-${(calls += 1)}`;
  return [
    { role: 'assistant', content: [{ type: 'tool-call', id, name, arguments: args }] },
    {
      role: 'tool',
      content: [
        {
          type: 'tool-result',
          callId: id,
          name,
          content: [{ type: 'text', text: output }, ...Array.from({ length: images }, () => image)],
          isError: false,
        },
      ],
    },
  ];
}

const prose = (words: number, seed = 'word'): string =>
  Array.from({ length: words }, (_, index) => `${seed}${index % 7}`).join(' ');
const run = (messages: Message[], limits: CompressLimits, more: Partial<CompressOptions> = {}): Promise<Compressed> =>
  compress(messages, limits, { estimator, ...more });

const textOf = (messages: readonly Message[]): string => JSON.stringify(messages);

describe('a conversation under its limit', () => {
  it('is left as it is', async () => {
    const messages = [user('goal'), ...call('read', { path: 'a.ts' }, prose(100)), says('done')];
    const result = await run(messages, { tokens: 10_000 });
    assert.deepEqual(result.messages, messages);
    assert.equal(result.unchanged, messages.length);
  });
});

describe('a conversation over its limit', () => {
  const long = (): Message[] => [
    user('Make the parser twice as fast. Never change the public interface.'),
    says('I decided to use a table instead of a switch because it is faster.'),
    ...call('read', { path: 'src/parser.ts' }, prose(3_000)),
    ...call('edit', { path: 'src/parser.ts' }, 'edited'),
    ...call('run', { command: 'npm test' }, `${prose(500)}\nexit code 1`),
    ...call('plan', {}, ''),
    user('Use tabs, please.'),
    ...Array.from({ length: 40 }, (_, index) => call('search', { pattern: `p${index}` }, prose(150))).flat(),
    says('Almost there.'),
  ];

  it('keeps goal, last messages and, in a summary, what the user said, decisions, open tasks, files and commands', async () => {
    const messages = long();
    const plan = messages.findIndex((message) => message.role === 'assistant' && textOf([message]).includes('"plan"'));
    messages[plan] = {
      role: 'assistant',
      content: [
        {
          type: 'tool-call',
          id: (messages[plan]!.content[0] as { id: string }).id,
          name: 'plan',
          arguments: {
            items: [
              { text: 'measure', state: 'done' },
              { text: 'write the table', state: 'doing' },
            ],
          },
        },
      ],
    };
    const { messages: after, folded, tokens } = await run(messages, { tokens: 4_000 });
    assert.ok(tokens <= 2_400, `${tokens}`);
    assert.equal(after[0], messages[0]);
    assert.equal(after.at(-1), messages.at(-1));
    assert.equal(summarisedMessages(after[1]!), folded);
    const summary = textOf([after[1]!]);
    for (const fact of [
      'Use tabs, please.',
      'a table instead of a switch',
      'write the table',
      'src/parser.ts: read, edit',
      'npm test: exit code 1',
    ]) {
      assert.ok(summary.includes(fact), `${fact} in ${summary}`);
    }
    assert.ok(!summary.includes('measure'), 'what is done is not open');
  });

  it('is brought down to the target, so that the next message does not fold again', async () => {
    const first = await run(long(), { tokens: 4_000 });
    const second = await run([...first.messages, user('more')], { tokens: 4_000 });
    assert.equal(second.folded, 0);
    assert.equal(second.unchanged, first.messages.length + 1);
  });

  it('is folded a second time behind the first summary, which stays byte for byte', async () => {
    const first = await run(long(), { tokens: 8_000 });
    const more = Array.from({ length: 60 }, () => call('search', { pattern: 'q' }, prose(150))).flat();
    const second = await run([...first.messages, ...more], { tokens: 8_000 });
    assert.ok(second.folded > 0);
    assert.ok(second.unchanged >= 2);
    assert.equal(second.messages[1], first.messages[1]);
    assert.ok(summarisedMessages(second.messages[2]!));
  });

  it('still has the facts of its beginning after it was folded ten times', async () => {
    let messages = long();
    for (let time = 0; time < 10; time++) {
      messages = (await run(messages, { tokens: 5_000 })).messages;
      messages.push(...Array.from({ length: 40 }, () => call('search', { pattern: 'q' }, prose(150))).flat());
    }
    const { messages: last } = await run(messages, { tokens: 5_000 });
    for (const fact of [
      'Never change the public interface',
      'Use tabs, please.',
      'a table instead of a switch',
      'src/parser.ts: read, edit',
    ]) {
      assert.ok(textOf(last).includes(fact), fact);
    }
  });

  it("has the model's own summary, kept to its limit, beside the facts", async () => {
    const asked: number[] = [];
    const summarise = async (_: Message[], tokens: number): Promise<string> => {
      asked.push(tokens);
      return `The table is generated. ${prose(5_000)}`;
    };
    const { messages, tokens } = await run(long(), { tokens: 4_000 }, { summarise });
    assert.ok(tokens <= 4_000);
    assert.equal(asked.length, 1);
    assert.match(textOf([messages[1]!]), /The table is generated.*Use tabs, please/);
  });

  it('loses large old outputs first, to references by which they can be read again', async () => {
    const kept = new Map<string, string>();
    const keep = async (text: string): Promise<string> => {
      kept.set(`output-${kept.size}`, text);
      return `read it with read-output "output-${kept.size - 1}"`;
    };
    const big = prose(6_000, 'big');
    const messages = [
      user('goal'),
      ...call('read', { path: 'a' }, big),
      ...call('run', { command: 'ls' }, 'a b'),
      says('ok'),
    ];
    const { messages: after, folded } = await run(messages, { tokens: 5_000 }, { keep });
    assert.equal(folded, 0);
    assert.deepEqual([...kept.values()], [big]);
    assert.match(textOf([after[2]!]), /tokens left out; read it with read-output \\"output-0\\"/);
    assert.deepEqual(after.slice(3), messages.slice(3));
  });

  it('keeps the reference of an output that is cut a second time', async () => {
    const keep = async (): Promise<string> => 'read it with read-output "one"';
    const messages = [user('goal'), ...call('read', { path: 'a' }, prose(6_000))];
    const first = await run(messages, { tokens: 3_000 }, { keep });
    const second = await run(first.messages, { tokens: 500 });
    assert.match(textOf(second.messages), /read-output \\"one\\"/);
  });

  it('drops images last, the oldest first', async () => {
    const messages = [
      user('goal'),
      user('first', 1),
      ...call('read', { path: 'a' }, prose(9_000)),
      user('second', 1),
      says('ok'),
    ];
    const withBoth = await run(messages, { tokens: 8_000 });
    assert.equal(withBoth.imagesDropped, 0);
    const withOne = await run(messages, { tokens: 3_600 });
    assert.equal(withOne.imagesDropped, 1);
    assert.ok(textOf(withOne.messages).includes('second'));
    const withNone = await run(messages, { tokens: 1_100 });
    assert.equal(withNone.imagesDropped, 2);
  });

  it('cuts what the user pasted when it alone is too much', async () => {
    const { messages, tokens } = await run([user(`begin ${prose(9_000)} end`)], { tokens: 2_000 });
    assert.ok(tokens <= 2_000);
    assert.match(textOf(messages), /begin .*tokens left out.* end/s);
  });

  it('is refused when not even the least of it fits', async () => {
    const many = Array.from({ length: 50 }, (_, index) => ({
      type: 'tool-call' as const,
      id: `${index}`,
      name: 'read',
      arguments: {},
    }));
    await assert.rejects(
      run([user('goal'), { role: 'assistant', content: many }], { tokens: 200 }),
      (error: unknown) => error instanceof HelixError && error.code === 'llm.context-exceeded',
    );
  });
});

describe('whatever the conversation and the limit', () => {
  /** Numbers from 0 to below 1 that are the same in every run. */
  function dice(seed: number): () => number {
    let state = seed;
    return () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    };
  }

  function conversation(random: () => number): Message[] {
    const upTo = (max: number): number => Math.floor(random() * max);
    const text = (): string => prose(upTo(4) === 0 ? upTo(3_000) : upTo(60), `w${upTo(99)}x`) || 'x';
    const messages: Message[] = [user(text(), upTo(8) === 0 ? 1 : 0)];
    for (let turn = 0, turns = upTo(30); turn < turns; turn++) {
      const kind = upTo(5);
      if (kind === 0) messages.push(user(text(), upTo(3)));
      else if (kind === 1) messages.push(says(text()));
      else {
        const ids = Array.from({ length: 1 + upTo(4) }, () => `c${(calls += 1)}`);
        messages.push({
          role: 'assistant',
          content: [
            { type: 'thinking', text: 'hm', opaque: { provider: 'p', data: 'sig' } },
            ...ids.map((id) => ({
              type: 'tool-call' as const,
              id,
              name: 'run',
              arguments: { command: text().slice(0, 400) },
            })),
          ],
        });
        const results = ids.map((callId) => ({
          type: 'tool-result' as const,
          callId,
          name: 'run',
          content: [{ type: 'text' as const, text: text() }, ...(upTo(6) === 0 ? [image] : [])],
          isError: upTo(5) === 0,
        }));
        // Some providers are answered with one message for each result.
        if (upTo(2) === 0) messages.push({ role: 'tool', content: results });
        else messages.push(...results.map((result) => ({ role: 'tool' as const, content: [result] })));
      }
    }
    return messages;
  }

  it('the result is under the limit, in order, with every call beside its results', async () => {
    let compressed = 0;
    for (let seed = 1; seed <= 300; seed++) {
      const random = dice(seed);
      const messages = conversation(random);
      const limit = 1_500 + Math.floor(random() * 12_000);
      const told = random() < 0.3 ? { summarise: async () => prose(2_000) } : {};
      const result = await run(messages, { tokens: limit }, told);
      if (result.messages.length !== messages.length) compressed += 1;
      const after = result.messages;

      assert.ok(estimator.messages(after) <= limit, `seed ${seed}: ${estimator.messages(after)} of ${limit}`);
      for (const message of after) messageSchema.parse(message);
      assert.deepEqual(openCalls(after), [], `seed ${seed}`);
      const positions = after.flatMap((message) => callIds(message)).map((id) => order(messages).indexOf(id));
      assert.deepEqual(
        positions,
        [...positions].sort((a, b) => a - b),
        `seed ${seed}: order`,
      );
      assert.deepEqual(after.slice(0, result.unchanged), messages.slice(0, result.unchanged));
      assert.equal(imagesOf(messages).length - imagesOf(after).length, result.imagesDropped);
      assert.deepEqual(await run(messages, { tokens: limit }, told), result, `seed ${seed}: the same again`);
    }
    assert.ok(compressed > 100, `${compressed} were compressed`);
  });

  function callIds(message: Message): string[] {
    return message.role === 'assistant'
      ? message.content.flatMap((part) => (part.type === 'tool-call' ? [part.id] : []))
      : [];
  }

  const order = (messages: readonly Message[]): string[] => messages.flatMap(callIds);

  /** Calls without a result right behind them, and results without a call. */
  function openCalls(messages: readonly Message[]): string[] {
    const wrong: string[] = [];
    let waiting = new Set<string>();
    for (const message of messages) {
      if (message.role === 'tool') {
        for (const { callId } of message.content) if (!waiting.delete(callId)) wrong.push(callId);
      } else {
        wrong.push(...waiting);
        waiting = new Set(callIds(message));
      }
    }
    return [...wrong, ...waiting];
  }
});

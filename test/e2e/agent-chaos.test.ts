import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JobEventData } from '../../contracts/event.ts';
import { type Reaction, type Served, type WireFormat, withFaultyModel } from '../support/faulty-model.ts';
import { type Kept, keepOpen } from '../support/keep-open.ts';
import { makeRepository } from '../support/projects.ts';
import { type Stack, startStack } from '../support/stack.ts';

type EventOf<Type extends JobEventData['type']> = Extract<JobEventData, { type: Type }>;

const edit = (path: string, oldText: string, newText: string): { tool: string; args: string } => ({
  tool: 'edit',
  args: JSON.stringify({ path, oldText, newText }),
});

/** All that goes wrong with one provider, and what it does when it is asked again. */
function troubles(file: string): Reaction[] {
  const limit = { type: 'rate_limit_error', message: 'slow down' };
  return [
    { does: 'fail', status: 429, headers: () => ({ 'retry-after': '2' }), error: limit },
    { does: 'fail', status: 429, headers: () => ({ 'retry-after': dateIn(2_000) }), error: limit },
    { does: 'fail', status: 529, error: { type: 'overloaded_error', message: 'Overloaded' } },
    { does: 'call', tool: 'read', args: JSON.stringify({ path: file }), afterMs: 3_000 },
    { does: 'break-off', ...edit(file, 'one', 'two') },
    { does: 'call', ...edit(file, 'one', 'two') },
    { does: 'stammer', ...edit(file, 'two', 'three') },
    { does: 'call', ...edit(file, 'two', 'three') },
    { does: 'call', tool: 'edit', args: '{"path": 7}' },
    { does: 'call', tool: 'edit', args: '{"path": "' },
    { does: 'call', tool: 'improve', args: '{}' },
    { does: 'say', text: '' },
    { does: 'say', text: 'I was about to', ends: 'max-tokens' },
  ];
}

/** To the second, as such dates are: up to one second earlier. */
function dateIn(ms: number): string {
  return new Date(Date.now() + ms).toUTCString();
}

describe('a turn with a provider that does everything wrong', function () {
  this.timeout(180_000);

  it('goes on through all of it, with one provider and then, behind a conversation that is too long, with another', async () => {
    const tooLong = { type: 'invalid_request_error', message: 'prompt is too long: 250000 tokens > 200000 maximum' };
    const { journal, events, diff, status } = await job(
      {
        anthropic: [...troubles('a.txt'), { does: 'fail', status: 400, error: tooLong }],
        openai: [
          ...troubles('b.txt'),
          { does: 'call', ...edit('b.txt', 'three', 'four') },
          { does: 'say', text: 'Done.' },
        ],
      },
      '--model',
      'anthropic/claude-sonnet-4-5',
      '--fallback',
      'openai/gpt-5.1',
    );
    assert.equal(status, 0);
    assert.match(diff, /^\+three$/m);
    assert.match(diff, /^\+four$/m);
    for (const format of ['anthropic', 'openai'] as const) assertSurvived(format, journal, events);
    const notes = of(events, 'note').map(({ message }) => message);
    assert.equal(
      notes.filter((note) => /too long.*going on with openai\/gpt-5\.1/s.test(note)).length,
      1,
      notes.join('\n'),
    );
    const answers = journal.filter(({ does }) => does === 'call' || does === 'say');
    assert.deepEqual(
      of(events, 'model.answered').map(({ callId }) => callId),
      answers.map(({ key }) => key),
      'every answer counts once, and no other',
    );
  });

  for (const format of ['anthropic', 'openai'] as const)
    it(`ends with what was done when the model declines, as ${format} says it`, async () => {
      const refusing: Reaction[] = [
        { does: 'call', ...edit('a.txt', 'one', 'two') },
        { does: 'say', text: 'I cannot help with that.', ends: 'refusal' },
      ];
      const { events, diff, status } = await job(
        { anthropic: [], openai: [], [format]: refusing },
        '--model',
        format === 'anthropic' ? 'anthropic/claude-sonnet-4-5' : 'openai/gpt-5.1',
      );
      assert.equal(status, 0);
      assert.match(diff, /^\+two$/m);
      assert.ok(of(events, 'note').some(({ message }) => /declined to answer/.test(message)));
    });

  it('ends with what the model was told when it never learns to call its tools', async () => {
    const wrong: Reaction[] = Array.from({ length: 20 }, () => ({
      does: 'call',
      tool: 'edit',
      args: '{"file": "a.txt"}',
    }));
    const { journal, events, status, output } = await job(
      { anthropic: wrong, openai: [] },
      '--model',
      'anthropic/claude-sonnet-4-5',
    );
    assert.equal(status, 2);
    assert.match(output, /called its tools wrongly 12 times in a row/);
    assert.equal(journal.length, 12);
    assert.ok(of(events, 'tool.called').every(({ isError }) => isError));
  });

  let dir: string;
  let stack: Stack;
  let serve: (reactions: Record<WireFormat, Reaction[]>) => Served[];
  let kept: Kept<{ url: string; journal: Served[] }>;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'helix-agent-chaos-'));
    const queues: Record<WireFormat, Reaction[]> = { anthropic: [], openai: [] };
    kept = await keepOpen((use) => withFaultyModel(queues, use));
    const { url, journal } = kept.resource;
    serve = (reactions) => {
      queues.anthropic.splice(0, Infinity, ...reactions.anthropic);
      queues.openai.splice(0, Infinity, ...reactions.openai);
      journal.length = 0;
      return journal;
    };
    stack = await startStack({
      ANTHROPIC_API_KEY: 'key',
      ANTHROPIC_BASE_URL: url,
      OPENAI_API_KEY: 'key',
      OPENAI_BASE_URL: `${url}/v1`,
    });
  });

  after(async () => {
    await stack?.down();
    await kept.giveBack();
    await rm(dir, { recursive: true, force: true });
  });

  async function job(
    reactions: Record<WireFormat, Reaction[]>,
    ...options: string[]
  ): Promise<{ journal: Served[]; events: JobEventData[]; diff: string; status: number | null; output: string }> {
    const repository = await makeRepository(await mkdtemp(join(dir, 'r-')), { 'a.txt': 'one\n', 'b.txt': 'one\n' });
    const journal = serve(reactions);
    const { code, events, result, stderr } = await stack.run([
      'Change it',
      '--repo',
      repository,
      '--modes',
      'building',
      ...options,
    ]);
    const { stdout: diff } = await stack.helix(['diff', result.jobId]);
    return {
      journal: [...journal],
      events: events as JobEventData[],
      diff,
      status: code,
      output: JSON.stringify(result) + stderr,
    };
  }
});

function of<Type extends JobEventData['type']>(events: JobEventData[], type: Type): EventOf<Type>[] {
  return events.filter((event): event is EventOf<Type> => event.type === type);
}

/** What came of each trouble, in the server's journal and in the job's events. */
function assertSurvived(format: WireFormat, journal: Served[], events: JobEventData[]): void {
  const served = journal.filter((one) => one.format === format);
  const [limited, dated, overloaded, slow, broken, whole, stammered, well] = served as [
    Served,
    Served,
    Served,
    Served,
    Served,
    Served,
    Served,
    Served,
  ];
  assert.deepEqual(
    served.slice(0, 13).map(({ does }) => does),
    troubles('').map(({ does }) => does),
  );
  assert.ok(dated.at - limited.at >= 2_000, 'Retry-After in seconds is waited out');
  assert.ok(overloaded.at - dated.at >= 900, 'Retry-After as a date is waited out');
  const waits = of(events, 'agent.limited').filter(({ reason }) => reason.startsWith(format));
  assert.equal(waits.length, 2, 'both waits are told');
  assert.ok(Date.parse(waits[0]!.until) >= limited.at + 1_900);
  // The same call, made again.
  for (const [failed, again] of [
    [overloaded, slow],
    [broken, whole],
    [stammered, well],
  ] as const) {
    assert.equal(again.key, failed.key);
    assert.equal(
      of(events, 'model.asked').find(({ callId, attempt }) => callId === failed.key && attempt === 2)?.type,
      'model.asked',
    );
  }
  const calls = of(events, 'tool.called').map(({ summary }) => summary);
  assert.ok(
    calls.some((summary) => /edit: wrong arguments/.test(summary)),
    calls.join('\n'),
  );
  assert.ok(
    calls.some((summary) => /improve: no such tool/.test(summary)),
    calls.join('\n'),
  );
}

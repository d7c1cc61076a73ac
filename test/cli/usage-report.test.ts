import assert from 'node:assert/strict';
import { parseSince } from '../../cli/commands/usage.ts';
import { recordAnswered, recordSent } from '../../db/model-calls.ts';
import { withApi } from '../api/with-api.ts';
import { addJob, resultOf } from '../db/samples.ts';
import { updateJob } from '../../db/jobs.ts';
import { helix } from './helix.ts';

describe('helix usage', () => {
  it('shows calls, tokens, cache hits and cost, and says so when a price is not known', () =>
    withApi(async (api) => {
      const jobId = await addJob(api.database, { user: 'anna' });
      for (const [model, usd] of [
        ['a/one', 0.5],
        ['b/two', null],
      ] as const) {
        await recordSent(api.database, { callId: model, jobId, turn: 't', model }, { usd: 0, tokens: 0 });
        const spent = { calls: 1, inputTokens: 1000, outputTokens: 20, cacheReadTokens: 250, usd: 0 };
        const result = { kind: 'answer', head: 'h', stopReason: 'end', text: '', spent } as const;
        await recordAnswered(api.database, model, result, usd);
      }
      const { code, stdout, stderr } = await helix(['--api', api.url, 'usage']);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /MODEL +CALLS +INPUT +OUTPUT +CACHED +COST/);
      assert.match(stdout, /a\/one +1 +1000 +20 +25% +\$0\.5000/);
      assert.match(stdout, /b\/two +1 +1000 +20 +25% +price unknown/);
      assert.match(stdout, /total +2 +2000 +40 +25% +\$0\.5000 and 1 call of unknown price/);
      const json = await helix(['--api', api.url, 'usage', '--by', 'user', '--since', '7d', '--json']);
      const { rows } = JSON.parse(json.stdout) as { rows: { key: string; calls: number; usd: number }[] };
      assert.deepEqual(
        rows.map(({ key, calls, usd }) => [key, calls, usd]),
        [['anna', 2, 0.5]],
      );
      await updateJob(api.database, jobId, { status: 'succeeded', result: resultOf(jobId) });
      assert.match(
        (await helix(['--api', api.url, 'show', jobId])).stdout,
        /models +2 calls, 2000 \+ 40 tokens, 25% of the input from the cache, \$0\.5000 and 1 call of unknown price/,
      );
    }));

  it('takes times back from now and dates, and nothing else', () => {
    const now = Date.parse('2026-01-31T12:00:00Z');
    assert.equal(parseSince('12h', now), '2026-01-31T00:00:00.000Z');
    assert.equal(parseSince('7d', now), '2026-01-24T12:00:00.000Z');
    assert.equal(parseSince('2026-01-02', now), '2026-01-02T00:00:00.000Z');
    for (const text of ['soon', '2026-13-45', '-1d', '99999999999999w', ''])
      assert.throws(() => parseSince(text, now), /--since takes/, text);
  });
});

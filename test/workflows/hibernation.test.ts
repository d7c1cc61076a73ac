import assert from 'node:assert/strict';
import type { Spending } from '../../contracts/agent.ts';
import { readEvents } from '../../db/events.ts';
import { orchestratorTaskQueue } from '../../workflows/task-queues.ts';
import { withAgents } from '../support/agents.ts';
import { raceBundle } from '../support/race-bundle.ts';
import { type Asked, type ProviderMove, withScriptedProvider } from '../support/scripted-provider.ts';
import { withTimeSkipping } from '../support/time-skipping.ts';

const agents = 14;
const threeDays = 3 * 86_400;

describe('a quota that comes back in three days', function () {
  // The server is fetched on its first use.
  this.timeout(240_000);

  it('is waited out by fourteen agents, who go on where they were: no call is made again', async () => {
    const nameOf = ({ prompt }: Asked): string => /agent \d+/.exec(prompt)![0];
    const refused = new Set<string>();
    const move = (asked: Asked): ProviderMove => {
      if (asked.answers === 1 && !refused.has(nameOf(asked))) {
        refused.add(nameOf(asked));
        return { status: 429, retryAfter: threeDays };
      }
      return asked.answers < 2 ? { calls: [{ tool: 'list', args: {} }] } : { text: 'done' };
    };
    await withTimeSkipping((temporal) =>
      withScriptedProvider(move, async ({ url, journal }) => {
        const env = { ANTHROPIC_API_KEY: 'key', ANTHROPIC_BASE_URL: url };
        const options = { env, temporal, bundle: await raceBundle() };
        await withAgents(options, async ({ client, database, job, turn }) => {
          const { budget: _, ...input } = turn();
          const args = [input, {}, agents];
          const workflow = { taskQueue: orchestratorTaskQueue, workflowId: `${job.jobId}/race` };
          const handle = await client.workflow.start('race', { ...workflow, args });
          const spent = (await handle.result()) as Spending;
          const { startTime, closeTime } = await handle.describe();
          const passed = (closeTime!.getTime() - startTime.getTime()) / 1_000;
          assert.ok(passed >= threeDays && passed < threeDays + 3_600, `${passed} s passed on the server`);
          assert.equal(refused.size, agents);
          const asked = journal.map((entry) => `${nameOf(entry)}, call ${entry.answers}, ${entry.answered}`);
          const expected = Array.from({ length: agents }, (_agent, index) =>
            ['0, true', '1, false', '1, true', '2, true'].map((call) => `agent ${index}, call ${call}`),
          );
          assert.deepEqual(asked.toSorted(), expected.flat().toSorted());
          assert.equal(spent.calls, 3 * agents);
          const events = await readEvents(database, job.jobId, 0, 1_000);
          assert.equal(events.filter(({ data }) => data.type === 'agent.limited').length, agents);
        });
      }),
    );
  });
});

import assert from 'node:assert/strict';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentTurnResult } from '../../contracts/workflow.ts';
import { readEvents } from '../../db/events.ts';
import { type Agents, withAgents } from '../support/agents.ts';
import { type Asked, type ProviderMove, withScriptedProvider } from '../support/scripted-provider.ts';
import { eventually } from '../support/eventually.ts';

const threeSeconds = { minutes: 0.05 };

describe('a budget of minutes', () => {
  async function outOfBudget({ database, job }: Agents): Promise<string> {
    return await eventually('the budget is used up', async () => {
      const events = await readEvents(database, job.jobId, 0, 1_000);
      return events.flatMap(({ data }) => (data.type === 'agent.out-of-budget' ? [data.reason] : []))[0];
    });
  }

  it('ends a model call at its limit, and makes it anew when it is raised', async () => {
    let calls = 0;
    const move = (): ProviderMove => ((calls += 1) === 1 ? 'hang' : { text: 'done' });
    await withScriptedProvider(move, ({ url, journal }) =>
      withAgents({ env: { ANTHROPIC_API_KEY: 'key', ANTHROPIC_BASE_URL: url } }, async (agents) => {
        const turn = await agents.start({ budget: threeSeconds });
        assert.equal(await outOfBudget(agents), 'the budget of 0.05 minutes is used up');
        assert.equal(journal.length, 1);
        await turn.executeUpdate('raiseBudget', { args: [{ minutes: 1 }] });
        const { status, spending, raised } = (await turn.result()) as AgentTurnResult;
        assert.equal(status, 'done');
        assert.equal(journal.length, 2);
        assert.deepEqual(raised, { minutes: 1 });
        assert.ok(spending.activeMs! >= 3_000 && spending.activeMs! < 20_000, `${spending.activeMs}`);
        // The call that was ended counts with all that it could have cost.
        assert.ok(spending.outputTokens >= journal[0]!.maxTokens);
      }),
    );
  });

  it('ends a command at its limit, and runs it anew on the same files when it is raised', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'helix-minutes-'));
    const [begun, ended] = [join(dir, 'begun'), join(dir, 'ended')];
    const command = `echo two >> note.txt; if [ -e ${begun} ]; then exit 0; fi; touch ${begun}; sleep 20; touch ${ended}`;
    const move = ({ answers }: Asked): ProviderMove =>
      answers === 0 ? { calls: [{ tool: 'run', args: { command } }] } : { text: 'done' };
    try {
      await withScriptedProvider(move, ({ url }) =>
        withAgents({ env: { ANTHROPIC_API_KEY: 'key', ANTHROPIC_BASE_URL: url }, nodes: true }, async (agents) => {
          const turn = await agents.start({ budget: threeSeconds, permissions: { mode: 'full', rules: [] } });
          await eventually('the command runs', () => exists(begun));
          await outOfBudget(agents);
          await turn.executeUpdate('raiseBudget', { args: [{ minutes: 1 }] });
          const { status, snapshot } = (await turn.result()) as AgentTurnResult;
          assert.equal(status, 'done');
          assert.equal(await exists(ended), false);
          const store = await agents.foundation.stores(agents.job.project);
          assert.equal((await store.read(snapshot, 'note.txt'))!.toString(), 'one\ntwo\n');
        }),
      );
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

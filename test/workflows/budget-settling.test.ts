import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Spending } from '../../contracts/agent.ts';
import type { AgentTurnResult } from '../../contracts/workflow.ts';
import type { JobResult } from '../../contracts/job.ts';
import { orchestratorTaskQueue } from '../../workflows/task-queues.ts';
import { type Agents, withAgents } from '../support/agents.ts';
import {
  type Asked,
  type JournalEntry,
  type ProviderMove,
  withScriptedProvider,
} from '../support/scripted-provider.ts';
import { eventually } from '../support/eventually.ts';

const usage = { input: 400, output: 50 };

describe('what agents spend', () => {
  async function withAgent(
    move: (asked: Asked, journal: readonly JournalEntry[]) => ProviderMove,
    use: (agents: Agents, journal: readonly JournalEntry[]) => Promise<void>,
  ): Promise<void> {
    await withScriptedProvider(move, async ({ url, journal }) => {
      const env = { ANTHROPIC_API_KEY: 'key', ANTHROPIC_BASE_URL: url };
      await withAgents({ env }, (agents) => use(agents, journal));
    });
  }

  /** What the server charged, in tokens; every request that it began to answer counts. */
  const charged = (journal: readonly JournalEntry[]): number =>
    journal.reduce((sum, entry) => sum + entry.usage.input + entry.usage.output, 0);
  const tokens = ({ inputTokens, outputTokens }: Spending): number => inputTokens + outputTokens;

  /** Hands its work to another agent, then is done. */
  const delegates = ({ answers }: Asked): ProviderMove =>
    answers === 0
      ? { calls: [{ tool: 'delegate', args: { title: 'Part', prompt: 'The part' } }], usage }
      : { text: 'done', usage };

  it('counts a broken-off call of another agent that then failed for good', async () => {
    let parts = 0;
    const move = (asked: Asked): ProviderMove => {
      if (!asked.prompt.includes('The part')) return delegates(asked);
      return (parts += 1) === 1 ? { text: 'half', usage: { input: 5_000, output: 900 }, cut: true } : { status: 400 };
    };
    await withAgent(move, async ({ start }, journal) => {
      const result = (await (await start()).result()) as AgentTurnResult;
      assert.equal(result.status, 'done');
      assert.equal(parts, 2);
      assert.ok(tokens(result.spending) >= charged(journal), `${tokens(result.spending)} < ${charged(journal)}`);
      assert.ok(result.spending.usd > 0.01);
    });
  });

  it('counts a call that a user stopped', async () => {
    await withAgent(
      () => 'hang',
      async ({ start }, journal) => {
        const turn = await start();
        await eventually('the call is sent', async () => journal.length === 1);
        await turn.signal('stop');
        const { status, spending } = (await turn.result()) as AgentTurnResult;
        assert.equal(status, 'stopped');
        // Up to the longest answer it might have had.
        assert.ok(tokens(spending) >= journal[0]!.maxTokens);
      },
    );
  });

  it('counts what an agent spent that was terminated', async () => {
    let parts = 0;
    const move = (asked: Asked): ProviderMove => {
      if (!asked.prompt.includes('The part')) return delegates(asked);
      return (parts += 1) === 1
        ? { calls: [{ tool: 'list', args: {} }], usage: { input: 7_000, output: 100 } }
        : 'hang';
    };
    await withAgent(move, async ({ client, start }, journal) => {
      const turn = await start();
      await eventually('the second call of the part is sent', async () => parts === 2);
      await client.workflow.getHandle(`${turn.workflowId}/1`).terminate('lost');
      const { status, spending } = (await turn.result()) as AgentTurnResult;
      assert.equal(status, 'done');
      const hung = journal.find(({ answered }) => !answered)!;
      assert.ok(tokens(spending) >= charged(journal) + hung.maxTokens, JSON.stringify(spending));
    });
  });

  it('counts what the agents of a phase spent that failed', async () => {
    const move = (_asked: Asked, before: readonly JournalEntry[]): ProviderMove =>
      before.length === 1 ? { calls: [{ tool: 'list', args: {} }], usage } : { status: 400 };
    await withAgent(move, async ({ client, job }, journal) => {
      const request = { ...job.request, model: 'anthropic/claude-sonnet-5-5', modes: ['building' as const] };
      const args = [{ ...job, request }];
      const handle = await client.workflow.start('devJob', {
        taskQueue: orchestratorTaskQueue,
        workflowId: job.jobId,
        args,
      });
      const { status, spending } = (await handle.result()) as JobResult;
      assert.equal(status, 'failed');
      assert.ok(spending && tokens(spending) >= charged(journal), JSON.stringify(spending));
    });
  });

  it('does not send another attempt of a call that was settled', async () => {
    const move = (): ProviderMove => ({ status: 500 });
    await withAgent(move, async ({ start }, journal) => {
      const turn = await start();
      await eventually('an attempt failed', async () => journal.length === 1);
      await turn.signal('stop');
      await turn.result();
      const { length } = journal;
      await sleep(1_500);
      assert.equal(journal.length, length);
    });
  });
});

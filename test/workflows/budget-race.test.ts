import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { Budget, Spending } from '../../contracts/agent.ts';
import type { JobResult } from '../../contracts/job.ts';
import { readEvents } from '../../db/events.ts';
import { costOf, modelInfo } from '../../llm/models/catalog.ts';
import { orchestratorTaskQueue } from '../../workflows/task-queues.ts';
import { AgentProcesses } from '../support/agent-processes.ts';
import { type Agents, withAgents } from '../support/agents.ts';
import { raceBundle } from '../support/race-bundle.ts';
import {
  type Asked,
  type JournalEntry,
  type ProviderMove,
  withScriptedProvider,
} from '../support/scripted-provider.ts';

const model = 'claude-sonnet-5-5';
const { price } = modelInfo('anthropic', model)!;

describe('racing agents', function () {
  this.timeout(300_000);

  /** What the server charges for what it was sent, whether its answer arrived or not. */
  function charged(journal: readonly JournalEntry[]): { usd: number; tokens: number } {
    const usages = journal.map(({ usage }) => ({ ...usage, thinking: 0, cacheRead: 0, cacheWrite: 0 }));
    return {
      usd: usages.reduce((sum, usage) => sum + costOf(usage, price)!, 0),
      tokens: usages.reduce((sum, { input, output }) => sum + input + output, 0),
    };
  }

  /** Kills processes at random while `work` is done, and stops the agents that have used their part up. */
  async function underKills<T>(
    agents: Agents,
    { seed, kills: most }: { seed: number; kills: number },
    work: () => Promise<T>,
  ): Promise<{ result: T; kills: number; stopped: number }> {
    const { client, database, job } = agents;
    let state = seed;
    const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
    const processes = new AgentProcesses(agents.env, await raceBundle(), 2);
    const stopped = new Set<string>();
    let isDone = false;
    let kills = 0;
    const killing = (async () => {
      await sleep(4_000);
      while (!isDone && kills < most) {
        await sleep(400 + random() * 1_600);
        processes.kill(Math.floor(random() * processes.count));
        kills += 1;
      }
    })();
    const stopping = (async () => {
      for (let after = 0; !isDone; await sleep(200)) {
        for (const { seq, data } of await readEvents(database, job.jobId, after, 1_000)) {
          if (data.type === 'agent.out-of-budget' && !(await stop(client, data.turn))) break;
          if (data.type === 'agent.out-of-budget') stopped.add(data.turn);
          after = seq;
        }
      }
    })();
    try {
      const result = await work();
      isDone = true;
      await Promise.all([killing, stopping]);
      return { result, kills, stopped: stopped.size };
    } finally {
      isDone = true;
      await processes.stop();
    }
  }

  /** Whether the agent knows, or has ended; a server with much to do may not have taken the signal. */
  async function stop(client: Client, turn: string): Promise<boolean> {
    try {
      await client.workflow.getHandle(turn).signal('stop');
      return true;
    } catch (error) {
      return error instanceof WorkflowNotFoundError;
    }
  }

  function assertKept(
    budget: Required<Omit<Budget, 'minutes'>>,
    journal: readonly JournalEntry[],
    spent: Spending,
  ): void {
    const { usd, tokens } = charged(journal);
    assert.ok(usd <= budget.usd, `$${usd} of $${budget.usd}`);
    assert.ok(tokens <= budget.tokens, `${tokens} of ${budget.tokens} tokens`);
    assert.ok(spent.usd >= usd - 1e-9, `$${spent.usd} was counted, $${usd} charged`);
    assert.ok(spent.inputTokens + spent.outputTokens >= tokens, 'all tokens were counted');
    assert.ok(spent.usd <= budget.usd + 1e-9 && spent.inputTokens + spent.outputTokens <= budget.tokens);
  }

  /** An answer of any length that it may have, after a while, or none. */
  function adversary(seed: number, calls: (asked: Asked) => ProviderMove): (asked: Asked) => Promise<ProviderMove> {
    let state = seed;
    const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
    return async (asked) => {
      await sleep(50 + random() * 400);
      const usage = { input: Math.ceil(asked.promptBytes / 3), output: Math.ceil(random() ** 2 * asked.maxTokens) };
      const fate = random();
      if (fate < 0.05) return { text: 'half of it', usage, cut: true };
      if (fate < 0.08) return { status: 429, retryAfter: 1 };
      const move = calls(asked);
      return typeof move === 'string' || 'status' in move ? move : { ...move, usage };
    };
  }

  it('never spend over the cap of their ledger, fifty at once, while workers are killed', async () => {
    const budget = { usd: 8, tokens: 2_000_000 };
    const move = adversary(11, ({ answers }) =>
      answers < 3 ? { calls: [{ tool: 'list', args: {} }] } : { text: 'done' },
    );
    await withScriptedProvider(move, async ({ url, journal }) => {
      const env = { ANTHROPIC_API_KEY: 'key', ANTHROPIC_BASE_URL: url };
      await withAgents({ env, idle: true }, async (agents) => {
        const { budget: _, ...turn } = agents.turn();
        const { result, kills, stopped } = await underKills(agents, { seed: 5, kills: 8 }, async () => {
          const workflow = { taskQueue: orchestratorTaskQueue, workflowId: `${agents.job.jobId}/race` };
          return (await agents.client.workflow.execute('race', { ...workflow, args: [turn, budget, 50] })) as Spending;
        });
        assertKept(budget, journal, result);
        const { usd, tokens } = charged(journal);
        assert.equal(kills, 8);
        assert.ok(usd > budget.usd / 10, 'it was a race for something');
        console.log(
          `      $${usd.toFixed(2)} and ${tokens} tokens charged of $${budget.usd} and ${budget.tokens}, $${result.usd.toFixed(2)} counted; ${journal.length} calls, ${kills} kills, ${stopped} agents at their limit`,
        );
      });
    });
  });

  it('of a job, of its modes and of each other never spend over the cap of the job', async () => {
    const budget = { usd: 1.5, tokens: 400_000 };
    const part = (name: string): { tool: string; args: unknown } => ({
      tool: 'delegate',
      args: { title: name, prompt: `part ${name}` },
    });
    const move = adversary(3, ({ prompt, answers }) => {
      if (!prompt.includes('part ')) return answers < 6 ? { calls: [part(`a${answers}`)] } : { text: 'done' };
      if (prompt.includes('part a')) return answers === 0 ? { calls: [part('b')] } : { text: 'done' };
      return answers < 2 ? { calls: [{ tool: 'list', args: {} }] } : { text: 'done' };
    });
    await withScriptedProvider(move, async ({ url, journal }) => {
      const env = { ANTHROPIC_API_KEY: 'key', ANTHROPIC_BASE_URL: url };
      const request = { model: `anthropic/${model}`, modes: ['building' as const], budget };
      await withAgents({ env, request, idle: true }, async (agents) => {
        const { client, job } = agents;
        const { result, stopped } = await underKills(agents, { seed: 9, kills: 3 }, async () => {
          const workflow = { taskQueue: orchestratorTaskQueue, workflowId: job.jobId };
          return (await client.workflow.execute('devJob', { ...workflow, args: [job] })) as JobResult;
        });
        assertKept(budget, journal, result.spending!);
        const { usd } = charged(journal);
        console.log(
          `      $${usd.toFixed(2)} charged, $${result.spending!.usd.toFixed(2)} counted of $${budget.usd}; ${journal.length} calls, ${stopped} agents at their limit`,
        );
      });
    });
  });
});

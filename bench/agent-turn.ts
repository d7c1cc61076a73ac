import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { loadConfig } from '../config/load.ts';
import { readStackState } from '../infra/embedded/stack.ts';
import { withAnthropicServer } from '../test/support/anthropic-server.ts';
import { makeRepository } from '../test/support/projects.ts';
import { startStack } from '../test/support/stack.ts';
import { median } from './compare.ts';
import type { BenchRow } from './row.ts';

const calls = 600;
const outputBytes = 5_000;

/** What a tool call of an agent costs in history, time and memory, in one turn of many with outputs of 5 KB; whether it grows. */
export async function benchAgentTurn(): Promise<BenchRow[]> {
  const dir = await mkdtemp(join(tmpdir(), 'helix-bench-agent-'));
  const askedAt: number[] = [];
  const memory: number[] = [];
  let pid = 0;
  const answer = async () => {
    askedAt.push(performance.now());
    if (askedAt.length % 20 === 0) memory.push(await residentMegabytes(pid));
    return askedAt.length > calls ? 'Done.' : [{ tool: 'read', args: { path: `file-${askedAt.length % 7}.txt` } }];
  };
  try {
    const repository = await makeRepository(
      join(dir, 'repository'),
      Object.fromEntries(
        Array.from({ length: 7 }, (_, index) => [
          `file-${index}.txt`,
          `${`${index}`.repeat(99)}\n`.repeat(outputBytes / 100),
        ]),
      ),
    );
    return await withAnthropicServer(answer, async (url) => {
      const stack = await startStack({ ANTHROPIC_API_KEY: 'key', ANTHROPIC_BASE_URL: url });
      try {
        pid = (await stack.status()).find(({ name }) => name === 'helix')!.pid!;
        const model = ['--model', 'anthropic/claude-sonnet-4-5'];
        const { code, result, stderr } = await stack.run([
          'Read.',
          '--repo',
          repository,
          '--modes',
          'building',
          ...model,
        ]);
        if (code !== 0) throw new Error(`the job failed: ${JSON.stringify(result.reason)} ${stderr}`);
        const { temporalAddress } = (await readStackState(loadConfig(stack.env)))!;
        const connection = await Connection.connect({ address: temporalAddress });
        const handle = new Client({ connection }).workflow.getHandle(`${result.jobId}/building-1/agent-1`);
        const { historySize, historyLength } = await handle.describe();
        const events = (await handle.fetchHistory()).events!;
        await connection.close();
        const sizeOf = (part: unknown[]): number => JSON.stringify(part).length;
        const half = events.length >> 1;
        const [first, second] = [sizeOf(events.slice(0, half)), sizeOf(events.slice(half))];
        const times = askedAt.slice(1).map((at, index) => at - askedAt[index]!);
        const third = Math.floor(times.length / 3);
        const [early, late] = [median(times.slice(0, third)), median(times.slice(-third))];
        // The first third fills the conversation.
        const settled = memory.slice(Math.floor(memory.length / 3));
        const part = Math.ceil(settled.length / 3);
        const [before, after] = [median(settled.slice(0, part)), median(settled.slice(-part))];
        return [
          {
            name: 'agent: history bytes per tool call',
            ours: historySize! / calls,
            unit: 'bytes',
            target: '<= 10,000',
          },
          { name: 'agent: history events per tool call', ours: historyLength / calls, unit: 'events', target: '-' },
          {
            name: 'agent: history, second half to first',
            ours: second,
            peer: first,
            unit: 'bytes',
            ratio: second / first,
            target: '<= 1.1x',
          },
          {
            name: 'agent: a tool call with its model call, last third to first',
            ours: late,
            peer: early,
            unit: 'ms',
            ratio: late / early,
            target: '-',
          },
          {
            name: 'agent: memory of the process, end to settled',
            ours: after,
            peer: before,
            unit: 'MB',
            ratio: after / before,
            target: '<= 1.35x',
          },
        ];
      } finally {
        await stack.down();
      }
    });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function residentMegabytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024;
}

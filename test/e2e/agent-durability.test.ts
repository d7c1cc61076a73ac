import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { loadConfig } from '../../config/load.ts';
import type { JobEventData } from '../../contracts/event.ts';
import { anyFreePort } from '../../infra/embedded/ports.ts';
import { readStackState } from '../../infra/embedded/stack.ts';
import { withAnthropicServer } from '../support/anthropic-server.ts';
import { withDatabase } from '../support/postgres.ts';
import { makeRepository } from '../support/projects.ts';
import { Roles } from '../support/roles.ts';
import { type ModelMove } from '../support/scripted-model.ts';
import { execute, root, type Stack, startStack, succeed } from '../support/stack.ts';
import { sharedTemporal } from '../support/temporal.ts';

/** As long as the outputs of tools usually are. */
const outputBytes = 5_000;

const kills = 50;

describe('a long turn of an agent', function () {
  this.timeout(900_000);

  let dir: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'helix-agent-durability-'));
  });

  afterEach(() => rm(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 }));

  /** Every third call appends to a file, a few run a command, the others read 5 KB. */
  function work(call: number): ModelMove {
    if (call % 30 === 1) return [{ tool: 'run', args: { command: 'wc -l log.txt' } }];
    if (call % 3 > 0) return [{ tool: 'read', args: { path: `file-${call % 7}.txt` } }];
    const last = call === 0 ? 'nothing' : call - 3;
    return [
      {
        tool: 'edit',
        args: { path: 'log.txt', oldText: `after ${last}\n`, newText: `after ${last}\nafter ${call}\n` },
      },
    ];
  }

  /** `log.txt` when the agent has made so many calls. */
  function logAfter(calls: number): string {
    const edits = Array.from({ length: Math.ceil(calls / 3) }, (_, index) => `after ${index * 3}\n`);
    return `after nothing\n${edits.join('')}`;
  }

  function sources(): Promise<string> {
    return makeRepository(join(dir, 'repository'), {
      'package.json': JSON.stringify({ name: 'p', version: '1.0.0', private: true, scripts: { build: 'true' } }),
      'log.txt': 'after nothing\n',
      ...Object.fromEntries(
        Array.from({ length: 7 }, (_, index) => [
          `file-${index}.txt`,
          `${String(index).repeat(99)}\n`.repeat(outputBytes / 100),
        ]),
      ),
    });
  }

  const jobIdIn = (started: { stdout: string; stderr: string }): string =>
    /job-[a-z0-9]{12}/.exec(started.stdout)?.[0] ?? assert.fail(started.stderr);

  it(`goes on through ${kills} kills of its workers: no answer is asked for twice, the same files come out`, async () => {
    const repository = await sources();
    /** By the idempotency key of a call, in the order in which they were first made. */
    const journal = new Map<string, { move: ModelMove; sent: number[] }>();
    const killed: { at: number; what: string }[] = [];
    let open = 0;
    const isCut = (): boolean => [...journal.values()].some(({ sent }) => sent.length > 1);
    const isEnough = (): boolean => killed.length >= kills && isCut();
    const answer = async ({ key }: { key: string }): Promise<ModelMove> => {
      const known = journal.get(key) ?? { move: isEnough() ? 'done' : work(journal.size), sent: [] };
      journal.set(key, known);
      known.sent.push(Date.now());
      open += 1;
      await sleep(300);
      open -= 1;
      return known.move;
    };
    await withAnthropicServer(answer, (modelUrl) =>
      withDatabase(async (databaseUrl) => {
        const env = {
          ...process.env,
          HELIX_HOME: join(dir, 'home'),
          DATABASE_URL: databaseUrl,
          TEMPORAL_ADDRESS: (await sharedTemporal()).address,
          HELIX_API_PORT: String(await anyFreePort()),
          ANTHROPIC_API_KEY: 'key',
          ANTHROPIC_BASE_URL: modelUrl,
        };
        const roles = await Roles.start(env, { orchestrator: 2, integrations: 2 });
        const helix = (...args: string[]) => execute(join(root, 'helix'), ['--api', roles.apiUrl, ...args], { env });
        try {
          const jobId = jobIdIn(await helix('run', '--detach', 'x', '--repo', repository, '--modes', 'building'));
          let seed = 3;
          const below = (limit: number): number => (seed = (seed * 48_271) % 2_147_483_647) % limit;
          const workers = ['integrations', 'integrations', 'orchestrator', 'orchestrator', 'node-pool'] as const;
          while (journal.size === 0) await sleep(50);
          // Whatever the workers are at. More than enough only while no call was hit.
          while (!isEnough() && killed.length < 4 * kills) {
            await sleep(1_000 + below(2_500));
            const role = workers[below(workers.length)]!;
            // Rather in the middle of a call than while everybody waits for the last death to be noticed.
            for (let waits = 0; role === 'integrations' && open === 0 && waits < 30; waits += 1) await sleep(50);
            // One that is still starting does no work that could be lost.
            const atWork = roles.atWork(role);
            const copy = atWork[below(2) % atWork.length];
            if (copy === undefined) continue;
            roles.kill(role, copy);
            killed.push({ at: Date.now(), what: `${role} ${copy}` });
          }
          const { code, stdout } = await helix('watch', jobId);
          assert.equal(code, 0, stdout.slice(-2_000));

          const resent = [...journal.values()].flatMap(({ sent }) =>
            sent.slice(1).map((at, index) => [sent[index]!, at] as const),
          );
          for (const [from, to] of resent)
            assert.ok(
              killed.some(({ at }) => at >= from && at <= to),
              'a call is made again after a kill alone',
            );
          assert.ok(
            resent.length <= killed.length,
            `${resent.length} calls were made again after ${killed.length} kills`,
          );
          const events = await eventsOf(roles.apiUrl, jobId);
          const answered = events.flatMap(({ data, at }) =>
            data.type === 'model.answered' ? [{ ...data, at: Date.parse(at) }] : [],
          );
          assert.deepEqual(
            answered.map(({ callId }) => callId),
            [...journal.keys()],
            'every call is answered once, in order',
          );
          for (const { callId, at } of answered)
            assert.ok(
              journal.get(callId)!.sent.every((sent) => sent <= at),
              'a finished call is not made again',
            );

          const calls = journal.size - 1;
          const changed = await succeed('git', ['-C', repository, 'diff', '--name-only', 'main', `helix/${jobId}`]);
          assert.equal(changed, 'log.txt\n');
          const log = await succeed('git', ['-C', repository, 'show', `helix/${jobId}:log.txt`]);
          assert.equal(log, logAfter(calls));
          console.log(
            `      ${killed.length} kills in a turn of ${calls} tool calls, ${resent.length} calls of the model made again`,
          );
        } finally {
          await roles.stop();
        }
      }),
    );
  });

  it('makes 1,000 tool calls: its history stays small and grows evenly, and the process that does it does not grow', async () => {
    const calls = 1_000;
    let answered = 0;
    let pid = 0;
    const memory: number[] = [];
    const prompts: number[] = [];
    const answer = ({ bytes }: { bytes: number }): ModelMove => {
      prompts.push(bytes);
      if (answered % 100 === 50 && pid) memory.push(residentMegabytes(pid));
      answered += 1;
      return answered > calls ? 'done' : work(answered - 1);
    };
    const repository = await sources();
    await withAnthropicServer(answer, async (url) => {
      const stack = await startStack({ ANTHROPIC_API_KEY: 'key', ANTHROPIC_BASE_URL: url });
      try {
        pid = (await stack.status()).find(({ name }) => name === 'helix')!.pid!;
        const jobId = jobIdIn(await stack.helix(['run', '--detach', 'x', '--repo', repository, '--modes', 'building']));
        const { code, stdout } = await stack.helix(['watch', jobId]);
        assert.equal(code, 0, stdout.slice(-2_000));
        assert.equal(answered, calls + 1);
        assert.ok(Math.max(...prompts) > 400_000, 'the conversation became long');
        const { events, bytes } = await historyOf(stack, `${jobId}/building-1/agent-1`);
        assert.ok(bytes < 10_000_000, `${bytes} bytes`);
        const half = Math.floor(events.length / 2);
        const sizeOf = (part: unknown[]): number => JSON.stringify(part).length;
        const growth = sizeOf(events.slice(half)) / sizeOf(events.slice(0, half));
        assert.ok(growth < 1.1, `the second half is ${growth} times the first`);
        // Once the conversation is as long as it can get.
        const [settled, end] = [memory[4]!, memory.at(-1)!];
        assert.ok(end < settled * 1.35, `${settled} MB grew to ${end} MB: ${memory.join(', ')}`);
        console.log(
          `      per tool call ${Math.round(bytes / calls)} bytes and ${(events.length / calls).toFixed(1)} events of history, prompts up to ${Math.max(...prompts)} bytes, MB: ${memory.join(', ')}`,
        );
      } finally {
        await stack.down();
      }
    });
  });

  async function historyOf(stack: Stack, workflowId: string): Promise<{ events: unknown[]; bytes: number }> {
    const state = (await readStackState(loadConfig(stack.env)))!;
    const connection = await Connection.connect({ address: state.temporalAddress });
    try {
      const handle = new Client({ connection }).workflow.getHandle(workflowId);
      const { historySize } = await handle.describe();
      return { events: (await handle.fetchHistory()).events!, bytes: historySize! };
    } finally {
      await connection.close();
    }
  }
});

async function eventsOf(apiUrl: string, jobId: string): Promise<{ at: string; data: JobEventData }[]> {
  const all: { seq: number; at: string; data: JobEventData }[] = [];
  for (;;) {
    const answer = await fetch(`${apiUrl}/v1/jobs/${jobId}/events?limit=1000&after=${all.at(-1)?.seq ?? 0}`);
    const { events } = (await answer.json()) as { events: typeof all };
    if (events.length === 0) return all;
    all.push(...events);
  }
}

function residentMegabytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024);
}

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { loadConfig } from '../../config/load.ts';
import { readStackState } from '../../infra/embedded/stack.ts';
import { makeRepository } from '../support/projects.ts';
import { type ModelMove, type ScriptedModel, withScriptedModel } from '../support/scripted-model.ts';
import { eventually, type Stack, startStack } from '../support/stack.ts';

/** As long as the outputs of tools usually are. */
const outputBytes = 5_000;

describe('a long turn of an agent', function () {
  this.timeout(900_000);

  let dir: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'helix-agent-durability-'));
  });

  afterEach(() => rm(dir, { recursive: true, force: true }));

  /** Every third call appends to a file, the others read 5 KB of it. */
  function work(calls: number): (asked: { answers: number }) => ModelMove {
    return ({ answers }) => {
      if (answers >= calls) return 'done';
      if (answers % 3 > 0) return [{ tool: 'read', args: { path: `file-${answers % 7}.txt` } }];
      return [
        {
          tool: 'edit',
          args: {
            path: 'log.txt',
            oldText: `after ${last(answers)}\n`,
            newText: `after ${last(answers)}\nafter ${answers}\n`,
          },
        },
      ];
    };
  }

  const last = (answers: number): string => (answers === 0 ? 'nothing' : String(answers - 3));

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

  async function withStack<T>(
    script: (asked: { answers: number }) => ModelMove,
    use: (stack: Stack, model: ScriptedModel, repository: string) => Promise<T>,
  ): Promise<T> {
    const repository = await sources();
    return await withScriptedModel(script, async (model) => {
      const stack = await startStack({ ANTHROPIC_API_KEY: 'key', ANTHROPIC_BASE_URL: model.url });
      try {
        return await use(stack, model, repository);
      } finally {
        await stack.down();
      }
    });
  }

  async function detached(stack: Stack, repository: string): Promise<string> {
    const { stdout, stderr } = await stack.helix(['run', '--detach', 'x', '--repo', repository, '--modes', 'building']);
    return /job-[a-z0-9]{12}/.exec(stdout)?.[0] ?? assert.fail(stderr);
  }

  it('goes on after kill -9 of Helix, again and again: no answer is asked for twice, the same files come out', async () => {
    const calls = 150;
    const asked = new Map<number, number>();
    const script = work(calls);
    const counting = (now: { answers: number }): ModelMove => {
      asked.set(now.answers, (asked.get(now.answers) ?? 0) + 1);
      return script(now);
    };
    await withStack(counting, async (stack, _model, repository) => {
      const jobId = await detached(stack, repository);
      let kills = 0;
      let seed = 3;
      const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
      let progress = 0;
      while (asked.size <= calls && kills < 10) {
        // Not again before it has come any further.
        await eventually('progress', async () => asked.size > progress, 60_000);
        progress = asked.size;
        await sleep(200 + random() * 1_500);
        const pid = (await stack.status()).find(({ name }) => name === 'helix')?.pid;
        if (!pid) continue;
        process.kill(pid, 'SIGKILL');
        kills += 1;
      }
      const { code, stdout } = await stack.helix(['watch', jobId]);
      assert.equal(code, 0, stdout);
      assert.ok(kills >= 5, `only ${kills} kills hit the turn`);
      const repeated = [...asked.values()].reduce((sum, times) => sum + times - 1, 0);
      assert.ok(repeated <= kills, `${repeated} calls were made again after ${kills} kills`);
      const { stdout: diff } = await stack.helix(['diff', jobId]);
      const lines = diff.split('\n').filter((line) => line.startsWith('+after'));
      assert.deepEqual(
        lines,
        Array.from({ length: calls / 3 }, (_, index) => `+after ${index * 3}`),
      );
    });
  });

  it('makes 1,000 tool calls: its history stays small and grows evenly, and the process that does it does not grow', async () => {
    const calls = 1_000;
    let answered = 0;
    let pid = 0;
    const memory: number[] = [];
    const prompts: number[] = [];
    const script = work(calls);
    const onCall = (promptBytes: number): ModelMove => {
      prompts.push(promptBytes);
      if (answered % 100 === 50 && pid) memory.push(residentMegabytes(pid));
      return script({ answers: answered++ });
    };
    const repository = await sources();
    await withAnthropic(onCall, async (url) => {
      const stack = await startStack({ ANTHROPIC_API_KEY: 'key', ANTHROPIC_BASE_URL: url });
      try {
        pid = (await stack.status()).find(({ name }) => name === 'helix')!.pid!;
        const jobId = await detached(stack, repository);
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
          `      ${Math.round(bytes / calls)} bytes of history per tool call, prompts up to ${Math.max(...prompts)} bytes, MB: ${memory.join(', ')}`,
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

/** The Messages API as a stream, without more: a scripted server that keeps every prompt of a long conversation would outgrow the test. */
async function withAnthropic<T>(
  onCall: (promptBytes: number) => ModelMove,
  use: (url: string) => Promise<T>,
): Promise<T> {
  const server = createServer((request, response) => {
    let bytes = 0;
    request.on('data', (chunk: Buffer) => (bytes += chunk.length));
    request.on('end', () => {
      if (request.method !== 'POST') return response.writeHead(404).end('{}');
      const move = onCall(bytes);
      const block =
        typeof move === 'string'
          ? { start: { type: 'text', text: '' }, delta: { type: 'text_delta', text: move } }
          : toolUse((move as { tool: string; args: unknown }[])[0]!);
      const usage = { input_tokens: Math.ceil(bytes / 4), output_tokens: 20 };
      const events = [
        {
          type: 'message_start',
          message: { id: 'm', type: 'message', role: 'assistant', model: 'm', content: [], usage },
        },
        { type: 'content_block_start', index: 0, content_block: block.start },
        { type: 'content_block_delta', index: 0, delta: block.delta },
        { type: 'content_block_stop', index: 0 },
        {
          type: 'message_delta',
          delta: { stop_reason: typeof move === 'string' ? 'end_turn' : 'tool_use', stop_sequence: null },
          usage,
        },
        { type: 'message_stop' },
      ];
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      return response.end(events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join(''));
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    await promisify(server.close.bind(server))();
  }
}

let toolUses = 0;

function toolUse({ tool, args }: { tool: string; args: unknown }): { start: object; delta: object } {
  return {
    start: { type: 'tool_use', id: `toolu_${(toolUses += 1)}`, name: tool, input: {} },
    delta: { type: 'input_json_delta', partial_json: JSON.stringify(args) },
  };
}

function residentMegabytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024);
}

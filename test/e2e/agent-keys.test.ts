import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir, readFile, rm, mkdtemp } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import pg from 'pg';
import { loadConfig } from '../../config/load.ts';
import { readStackState } from '../../infra/embedded/stack.ts';
import { makeRepository } from '../support/projects.ts';
import { type Stack, startStack } from '../support/stack.ts';

/** Unlike any key that is known by its form: what is taken out is taken out because it is the key. */
const canary = (provider: string): string => `canary${provider}Q7x9Zp2LmW4`;

/** A model of each provider that has a key, and where both are set. */
const providers: Record<string, { model: string; env: (key: string, url: string) => NodeJS.ProcessEnv }> = {
  anthropic: {
    model: 'claude-sonnet-4-5',
    env: (key, url) => ({ ANTHROPIC_API_KEY: key, ANTHROPIC_BASE_URL: url }),
  },
  gemini: { model: 'gemini-2.5-pro', env: (key, url) => ({ GEMINI_API_KEY: key, GOOGLE_GEMINI_BASE_URL: url }) },
  openai: { model: 'gpt-5.1', env: (key, url) => ({ OPENAI_API_KEY: key, OPENAI_BASE_URL: `${url}/v1` }) },
  xai: { model: 'grok-4', env: (key, url) => ({ XAI_API_KEY: key, HELIX_LLM_XAI_BASE_URL: `${url}/v1` }) },
  qwen: {
    model: 'qwen3-coder-plus',
    env: (key, url) => ({ DASHSCOPE_API_KEY: key, HELIX_LLM_QWEN_BASE_URL: `${url}/v1` }),
  },
  openrouter: {
    model: 'openai/gpt-5.1',
    env: (key, url) => ({ OPENROUTER_API_KEY: key, HELIX_LLM_OPENROUTER_BASE_URL: `${url}/v1` }),
  },
  compatible: {
    model: 'any',
    env: (key, url) => ({ HELIX_LLM_COMPATIBLE_API_KEY: key, HELIX_LLM_COMPATIBLE_BASE_URL: `${url}/v1` }),
  },
};

describe('keys of providers', function () {
  this.timeout(180_000);

  it('are nowhere: in no history, record, log, blob, event or output, whatever a provider says in its errors', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'helix-keys-'));
    let stack: Stack | undefined;
    const outputs: string[] = [];
    const server = new EchoingProvider();
    const url = await server.start();
    try {
      const env = Object.entries(providers).map(([name, provider]) => provider.env(canary(name), `${url}/${name}`));
      stack = await startStack(
        Object.assign({ HELIX_LLM_COPILOT_API_KEY: canary('copilot') }, ...env) as NodeJS.ProcessEnv,
      );
      const helix = async (...args: string[]): Promise<void> => {
        const { stdout, stderr } = await stack!.helix(args);
        outputs.push(stdout, stderr);
      };
      const repository = await makeRepository(join(dir, 'repository'), { 'a.txt': 'a\n' });
      const [first, ...others] = Object.entries(providers).map(([name, { model }]) => `${name}/${model}`);
      const run = ['run', 'x', '--repo', repository, '--modes', 'building', '--model', first!];
      // Limited, broken off and refused, one provider after the other.
      await helix(...run, '--json', '--fallback', others.join(','));
      const jobId = /job-[a-z0-9]{12}/.exec(outputs.join(''))![0];
      for (const args of [['show', jobId], ['watch', jobId], ['jobs'], ['models', '--all'], ['status', '--json']])
        await helix(...args);
      assert.match(outputs.join(''), /agent\.limited/);
      assert.match(outputs.join(''), /does not accept the key/);
      for (const name of Object.keys(providers)) assert.ok(server.seen.get(name)!.length >= 3, `${name} was asked`);
      server.refusesAtOnce = true;
      for (const model of [first!, ...others, 'copilot/gpt-5.1'])
        await helix('models', 'test', model, '--prompt', 'Say hello.');
      await helix(...run);

      const places = new Map<string, string | Buffer>([['output of commands', outputs.join('\n')]]);
      for (const [name, text] of await histories(stack)) places.set(`history of ${name}`, text);
      for (const [name, text] of await tables(stack)) places.set(`table ${name}`, text);
      for (const [name, content] of await files(stack.home)) places.set(name, content);
      // A search that finds nothing anywhere would find no key either.
      for (const what of ['history of', 'table job_events', '/logs/', '/blobs/'])
        assert.ok(
          [...places].some(([name, content]) => name.includes(what) && content.length > 0),
          what,
        );
      assert.ok([...places.values()].some((content) => content.includes('[redacted]')));
      for (const [name, content] of places)
        for (const provider of [...Object.keys(providers), 'copilot'])
          for (const form of formsOf(canary(provider)))
            assert.equal(content.includes(form), false, `the key of ${provider} stands in ${name}`);
      // And each provider had its own key, so that there was one to echo.
      for (const [name, keys] of server.seen)
        assert.ok(
          keys.every((key) => key === canary(name)),
          `${name} was sent ${keys.join()}`,
        );
    } finally {
      await stack?.down();
      await server.stop();
      await rm(dir, { recursive: true, force: true });
    }
  });
});

function formsOf(key: string): string[] {
  return [
    key,
    Buffer.from(key).toString('base64').replace(/=+$/, ''),
    Buffer.from(key).toString('hex'),
    key.slice(0, 16),
  ];
}

/** Says the key it was called with in all of its errors: as words, as JSON, in headers, in what is no answer at all. */
class EchoingProvider {
  refusesAtOnce = false;
  /** Keys by provider, one for each call of a model. */
  readonly seen = new Map<string, string[]>();
  private readonly server = createServer((request, response) => {
    request.resume();
    request.on('end', () => this.react(request, response));
  });

  async start(): Promise<string> {
    await once(this.server.listen(0, '127.0.0.1'), 'listening');
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private react(request: IncomingMessage, response: ServerResponse): void {
    const { headers } = request;
    const { pathname, searchParams } = new URL(request.url!, 'http://x');
    const authorization = headers.authorization?.replace(/^Bearer /, '');
    const key = String(headers['x-api-key'] ?? headers['x-goog-api-key'] ?? searchParams.get('key') ?? authorization);
    const name = pathname.split('/')[1]!;
    const words = `Key ${key} of ${request.url} may not do this now (x-api-key: ${key}; Bearer ${key}).`;
    const error = {
      type: 'error',
      error: { type: 'rate_limit_error', code: key, status: key, message: words, param: { key } },
    };
    const told = { 'content-type': 'application/json', 'request-id': key, 'x-request-id': key, 'x-key': key };
    if (request.method !== 'POST') return void response.writeHead(503, told).end(JSON.stringify(error));
    const before = this.seen.get(name) ?? [];
    this.seen.set(name, [...before, key]);
    if (before.length === 0) {
      response.writeHead(429, { ...told, 'retry-after': '1' }).end(JSON.stringify(error));
    } else if (before.length === 1) {
      // Where a message is cut, half a key is left over: it is no longer found as what it is.
      const garbage = `${'x'.repeat(250)} ${key} `.repeat(40);
      response.writeHead(200, { 'content-type': 'text/event-stream', 'x-request-id': key });
      response.end(`event: message_start\ndata: {"type": ${garbage}\n\ndata: ${garbage}\n\n`);
    } else if (this.refusesAtOnce) response.writeHead(401, { 'x-request-id': key }).end(words);
    else response.writeHead(401, told).end(JSON.stringify(error));
  }
}

/** All histories of the stack's Temporal server with their payloads as they are. */
async function histories({ env }: Stack): Promise<Map<string, string>> {
  const { temporalAddress } = (await readStackState(loadConfig(env)))!;
  const connection = await Connection.connect({ address: temporalAddress });
  try {
    const client = new Client({ connection });
    const found = new Map<string, string>();
    for await (const { workflowId, runId, memo, searchAttributes } of client.workflow.list()) {
      const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
      const text = wordsOf([history, memo, searchAttributes]).join('\n');
      found.set(`${workflowId} ${runId}`, text);
    }
    return found;
  } finally {
    await connection.close();
  }
}

/** All texts in a value, payloads as what they hold: as JSON they would be Base64. */
function wordsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (value instanceof Uint8Array) return [Buffer.from(value).toString()];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(wordsOf) : [];
}

/** Every row of every table as text: what the files of a server hold may be compressed. */
async function tables({ env }: Stack): Promise<Map<string, string>> {
  const client = new pg.Client({ connectionString: (await readStackState(loadConfig(env)))!.databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')`,
    );
    const found = new Map<string, string>();
    for (const { name } of rows) {
      const { rows: texts } = await client.query<{ row: string }>(`select t::text as row from ${name} t`);
      found.set(name.replace('public.', ''), texts.map(({ row }) => row).join('\n'));
    }
    return found;
  } finally {
    await client.end();
  }
}

async function files(folder: string): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) found.set(path, await readFile(path).catch(() => Buffer.alloc(0)));
  }
  return found;
}

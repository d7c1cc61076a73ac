import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { benchKey, models } from './calls.ts';
import { installLitellm, installPortkey } from './install.ts';

/** A program that serves on this machine, in a process group of its own. */
export interface Served {
  url: string;
  pid: number;
  stop(): Promise<void>;
}

const startMs = 120_000;

/** The provider behind all ways. */
export async function startScriptedServer(): Promise<Served> {
  const script = fileURLToPath(new URL('scripted-server.ts', import.meta.url));
  const child = spawn(process.execPath, ['--no-warnings', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  return { url: `http://127.0.0.1:${port.toString().trim()}`, pid: child.pid!, stop: () => end(child) };
}

/** litellm's proxy with one worker and no database. */
export async function startLitellm(upstream: string): Promise<Served> {
  const program = await installLitellm();
  const folder = await mkdtemp(join(tmpdir(), 'helix-bench-litellm-'));
  const entry = (provider: string, model: string, base: string) => ({
    model_name: model,
    litellm_params: { model: `${provider}/${model}`, api_base: base, api_key: benchKey },
  });
  const config = {
    model_list: [entry('openai', models.openai, `${upstream}/v1`), entry('anthropic', models.anthropic, upstream)],
    litellm_settings: { telemetry: false },
  };
  const path = join(folder, 'config.json');
  await writeFile(path, JSON.stringify(config));
  const port = await freePort();
  const options = ['--config', path, '--host', '127.0.0.1', '--port', String(port), '--num_workers', '1'];
  // Its list of prices comes with it; without this it is fetched.
  const env = { LITELLM_LOCAL_MODEL_COST_MAP: 'True', LITELLM_LOG: 'ERROR', LITELLM_MASTER_KEY: benchKey };
  const forget = (): Promise<void> => rm(folder, { recursive: true });
  try {
    const served = await serve(program, options, env, port, '/health/liveliness');
    return { ...served, stop: () => served.stop().then(forget) };
  } catch (error) {
    await forget();
    throw error;
  }
}

/** Portkey's gateway without its console. */
export async function startPortkey(): Promise<Served> {
  const script = await installPortkey();
  const port = await freePort();
  return await serve(process.execPath, [script, `--port=${port}`, '--headless'], { NODE_ENV: 'production' }, port, '/');
}

async function serve(
  program: string,
  options: string[],
  env: NodeJS.ProcessEnv,
  port: number,
  healthPath: string,
): Promise<Served> {
  const child = spawn(program, options, {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
    env: { ...process.env, ...env },
  });
  let said = '';
  child.stderr.on('data', (data: Buffer) => (said = `${said}${data.toString()}`.slice(-500)));
  const url = `http://127.0.0.1:${port}`;
  for (const deadline = Date.now() + startMs; Date.now() < deadline; await delay(200)) {
    if (child.exitCode !== null) throw new Error(`${program} ended with exit code ${child.exitCode}: ${said}`);
    const answer = await fetch(`${url}${healthPath}`).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok) return { url, pid: child.pid!, stop: () => end(child) };
  }
  await end(child);
  throw new Error(`${program} did not answer within ${startMs / 1000} s: ${said}`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  process.kill(-child.pid!, 'SIGKILL');
  await ended;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('there is no free port');
  return address.port;
}

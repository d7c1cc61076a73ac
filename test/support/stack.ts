import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient, type HelixClient } from '../../client/client.ts';
import type { JobResult } from '../../contracts/job.ts';
import type { StackProcess } from '../../contracts/stack.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Output {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A whole embedded stack with a home of its own, driven as a user does: through ./helix. */
export interface Stack {
  home: string;
  env: NodeJS.ProcessEnv;
  helix(args: string[], options?: { cwd?: string; input?: string; env?: NodeJS.ProcessEnv }): Promise<Output>;
  /** `helix run --json ...`; the last line parsed. */
  run(
    args: string[],
    options?: { env?: NodeJS.ProcessEnv },
  ): Promise<{ code: number | null; result: JobResult & { type: string }; events: unknown[]; stderr: string }>;
  status(): Promise<StackProcess[]>;
  /** Of the API as it listens now. */
  client(): Promise<HelixClient>;
  down(): Promise<void>;
}

export async function startStack(extra: NodeJS.ProcessEnv = {}): Promise<Stack> {
  const home = await mkdtemp(join(tmpdir(), 'helix-stack-'));
  const env = { ...process.env, HELIX_HOME: home, ...extra };
  const stack: Stack = {
    home,
    env,
    helix: (args, options = {}) => execute(join(root, 'helix'), args, { ...options, env: { ...env, ...options.env } }),
    async run(args, options = {}) {
      const { code, stdout, stderr } = await stack.helix(['run', '--json', ...args], options);
      const lines = stdout.trim().split('\n');
      try {
        const events = lines.map((line) => JSON.parse(line) as unknown);
        return { code, events, result: events.at(-1) as JobResult & { type: string }, stderr };
      } catch (error) {
        throw new Error(`helix run --json ended with ${code} and printed no JSON lines:\n${stdout}\n${stderr}`, {
          cause: error,
        });
      }
    },
    async status() {
      return JSON.parse((await stack.helix(['status', '--json'])).stdout) as StackProcess[];
    },
    async client() {
      const { address } = (await stack.status()).find(({ name }) => name === 'helix')!;
      return createClient(address!);
    },
    async down() {
      await stack.helix(['down']);
      await rm(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    },
  };
  const up = await stack.helix(['up']);
  if (up.code !== 0) {
    await stack.down();
    throw new Error(`helix up ended with ${up.code}:\n${up.stdout}\n${up.stderr}`);
  }
  return stack;
}

/** Runs a program to its end. Never throws for an exit code. */
export async function execute(
  program: string,
  args: string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; input?: string } = {},
): Promise<Output> {
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  return await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** Runs a program that has to succeed; returns its standard output. */
export async function succeed(
  program: string,
  args: string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  const { code, stdout, stderr } = await execute(program, args, options);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}:\n${stdout}\n${stderr}`);
  return stdout;
}

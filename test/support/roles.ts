import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from './stack.ts';

export type RoleName = 'api' | 'orchestrator' | 'integrations' | 'node-pool';

/** The four roles as four processes, as in production. One that is killed is started again at once, like under any supervisor. */
export class Roles {
  private readonly processes = new Map<RoleName, ChildProcess>();
  private readonly env: NodeJS.ProcessEnv;
  private stopping = false;

  private constructor(env: NodeJS.ProcessEnv) {
    this.env = env;
  }

  /** `env` has HELIX_HOME, DATABASE_URL, TEMPORAL_ADDRESS and HELIX_API_PORT. Resolves when the API answers. */
  static async start(env: NodeJS.ProcessEnv): Promise<Roles> {
    const roles = new Roles(env);
    await mkdir(join(env['HELIX_HOME']!, 'logs'), { recursive: true });
    for (const name of ['orchestrator', 'integrations', 'node-pool', 'api'] as const) roles.spawn(name);
    for (;;) {
      const answer = await fetch(`${roles.apiUrl}/v1/health`).catch(() => undefined);
      if (answer?.ok) return roles;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  get apiUrl(): string {
    return `http://127.0.0.1:${this.env['HELIX_API_PORT']}`;
  }

  kill(name: RoleName): void {
    this.processes.get(name)!.kill('SIGKILL');
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(
      [...this.processes.values()].map(async (process) => {
        const exited = once(process, 'exit');
        process.kill('SIGTERM');
        const timer = setTimeout(() => process.kill('SIGKILL'), 10_000);
        await exited;
        clearTimeout(timer);
      }),
    );
  }

  private spawn(name: RoleName): void {
    const log = createWriteStream(join(this.env['HELIX_HOME']!, 'logs', `${name}.log`), { flags: 'a' });
    const child = spawn(process.execPath, ['--no-warnings', join(root, 'workers', `${name}.ts`)], {
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.pipe(log);
    child.stderr.pipe(log);
    this.processes.set(name, child);
    child.once('exit', () => {
      if (!this.stopping) this.spawn(name);
    });
  }
}

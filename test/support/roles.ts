import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from './stack.ts';

export type RoleName = 'api' | 'orchestrator' | 'integrations' | 'node-pool';

/** The four roles as four processes, as in production. One that is killed is started again at once, like under any supervisor. */
export class Roles {
  private readonly processes = new Map<RoleName, ChildProcess[]>();
  private readonly ready = new WeakSet<ChildProcess>();
  private readonly env: NodeJS.ProcessEnv;
  private stopping = false;

  private constructor(env: NodeJS.ProcessEnv) {
    this.env = env;
  }

  /** `env` has HELIX_HOME, DATABASE_URL, TEMPORAL_ADDRESS and HELIX_API_PORT. Resolves when the API answers. `copies` is 1 for each role left out. */
  static async start(env: NodeJS.ProcessEnv, copies: Partial<Record<RoleName, number>> = {}): Promise<Roles> {
    const roles = new Roles(env);
    await mkdir(join(env['HELIX_HOME']!, 'logs'), { recursive: true });
    for (const name of ['orchestrator', 'integrations', 'node-pool', 'api'] as const)
      for (let copy = 0; copy < (copies[name] ?? 1); copy += 1) roles.spawn(name, copy);
    for (;;) {
      const answer = await fetch(`${roles.apiUrl}/v1/health`).catch(() => undefined);
      if (answer?.ok) return roles;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  get apiUrl(): string {
    return `http://127.0.0.1:${this.env['HELIX_API_PORT']}`;
  }

  /** The processes of a role that are at work, not only starting. */
  atWork(name: RoleName): number[] {
    return this.processes.get(name)!.flatMap((child, copy) => (this.ready.has(child) ? [copy] : []));
  }

  kill(name: RoleName, copy = 0): void {
    this.processes.get(name)![copy]!.kill('SIGKILL');
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(
      [...this.processes.values()].flat().map(async (process) => {
        const exited = once(process, 'exit');
        process.kill('SIGTERM');
        const timer = setTimeout(() => process.kill('SIGKILL'), 10_000);
        await exited;
        clearTimeout(timer);
      }),
    );
  }

  private spawn(name: RoleName, copy: number): void {
    const log = createWriteStream(join(this.env['HELIX_HOME']!, 'logs', `${name}.log`), { flags: 'a' });
    const child = spawn(process.execPath, ['--no-warnings', join(root, 'workers', `${name}.ts`)], {
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.pipe(log);
    child.stdout.on('data', (chunk: Buffer) => chunk.includes('"msg":"ready"') && this.ready.add(child));
    child.stderr.pipe(log);
    const copies = this.processes.get(name) ?? [];
    copies[copy] = child;
    this.processes.set(name, copies);
    child.once('exit', () => {
      this.ready.delete(child);
      if (!this.stopping) this.spawn(name, copy);
    });
  }
}

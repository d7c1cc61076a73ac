// As a program: node agent-processes.ts orchestrator BUNDLE | integrations
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { startIntegrations } from '../../workers/integrations.ts';
import { startOrchestrator } from '../../workers/orchestrator.ts';
import { runRoles } from '../../workers/support/role.ts';

/** Orchestrators and integrations as processes of their own; one that is killed is started again at once. */
export class AgentProcesses {
  private readonly processes: ChildProcess[] = [];
  private readonly env: NodeJS.ProcessEnv;
  private stopping = false;

  /** `bundle` is the path of the workflows' code. */
  constructor(env: NodeJS.ProcessEnv, bundle: string, each: number) {
    this.env = env;
    for (let index = 0; index < each; index += 1) {
      this.spawn(2 * index, ['orchestrator', bundle]);
      this.spawn(2 * index + 1, ['integrations']);
    }
  }

  get count(): number {
    return this.processes.length;
  }

  kill(index: number): void {
    this.processes[index]!.kill('SIGKILL');
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(
      this.processes.map(async (process) => {
        if (process.exitCode !== null || process.signalCode !== null) return;
        const exited = once(process, 'exit');
        process.kill('SIGKILL');
        await exited;
      }),
    );
  }

  private spawn(index: number, args: string[]): void {
    const child = spawn(process.execPath, ['--no-warnings', import.meta.filename, ...args], {
      env: this.env,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    this.processes[index] = child;
    child.once('exit', () => {
      if (!this.stopping) this.spawn(index, args);
    });
  }
}

if (import.meta.main) {
  const [role, bundle] = process.argv.slice(2);
  if (role === 'integrations') await runRoles(role, [startIntegrations]);
  else await runRoles('orchestrator', [(foundation) => startOrchestrator(foundation, bundle)]);
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Program } from '../../infra/embedded/part.ts';

const startLimitMs = 30_000;

/** Runs a server until `stop`. It does not outlive this process, however that ends short of a kill -9. */
export async function startServer(
  program: Program,
  isReady: () => Promise<boolean>,
  signal: NodeJS.Signals,
): Promise<{ stop: () => Promise<void> }> {
  const { command, args, ...options } = program;
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const collect = (chunk: Buffer) => (output = (output + chunk.toString()).slice(-4000));
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const exited = once(child, 'exit');
  const kill = () => child.kill('SIGKILL');
  process.on('exit', kill);
  const stop = async () => {
    process.off('exit', kill);
    child.kill(signal);
    const timer = setTimeout(kill, 5000);
    await exited;
    clearTimeout(timer);
  };
  for (const deadline = Date.now() + startLimitMs; !(await isReady()); await sleep(20)) {
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error(`${command} did not start:\n${output}`);
    }
  }
  return { stop };
}

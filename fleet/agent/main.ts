import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { RpcConnection } from '../wire/connection.ts';
import { Programs } from './programs.ts';
import { readyLine } from './protocol.ts';
import { watchdogScript } from './scripts.ts';
import { AgentService } from './service.ts';
import { defaultTiming, type AgentTiming } from './timing.ts';

/** While nothing runs, or the agent looks itself, the watchdog looks that much less often. */
const napPolls = 4;

/** `serve --root DIR [--timing JSON]`: answers calls on stdin and stdout until stdin closes; commands go on without it. */
function main(): void {
  const { values, positionals } = parseArgs({
    options: { root: { type: 'string' }, timing: { type: 'string' } },
    allowPositionals: true,
  });
  if (positionals[0] !== 'serve' || !values.root) {
    process.stderr.write('usage: serve --root DIR [--timing JSON]\n');
    process.exit(2);
  }
  const timing = { ...defaultTiming, ...(JSON.parse(values.timing ?? '{}') as Partial<AgentTiming>) };
  serve(values.root, timing);
}

function serve(root: string, timing: AgentTiming): void {
  const service = new AgentService({ root, timing });
  const endWatchdog = startWatchdog(root, timing);
  process.stdout.write(readyLine);
  const handlers = { ...service.handlers(), ...new Programs(root, (file) => service.holdProgram(file)).handlers() };
  const connection = new RpcConnection(process.stdin, process.stdout, handlers);
  connection.onClose(() => {
    service.close();
    if (service.isIdle()) endWatchdog();
    process.exit(0);
  });
  // The hang-up of a lost terminal or connection comes as the end of stdin as well.
  process.on('SIGHUP', () => process.exit(0));
}

/** In a session of its own, before the first command, so that no command is ever without one. Returns what ends it. */
function startWatchdog(root: string, { pollSeconds, graceSeconds }: AgentTiming): () => void {
  const grace = Math.ceil(graceSeconds / pollSeconds);
  const numbers = [process.pid, pollSeconds, grace, napPolls, napPolls * pollSeconds].map(String);
  const parameters = ['-c', watchdogScript, 'sh', root, ...numbers];
  const watchdog = spawn('/bin/sh', parameters, { detached: true, stdio: 'ignore', cwd: '/' });
  watchdog.unref();
  return () => {
    try {
      if (watchdog.pid !== undefined) process.kill(-watchdog.pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  };
}

main();

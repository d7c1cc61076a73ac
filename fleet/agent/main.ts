import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { RpcConnection } from '../wire/connection.ts';
import { cleanUp } from './clean-up.ts';
import { Programs } from './programs.ts';
import { readyLine } from './protocol.ts';
import { watchdogScript } from './scripts.ts';
import { AgentService } from './service.ts';
import { defaultTiming, type AgentTiming } from './timing.ts';

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
  startWatchdog(root, timing);
  process.stdout.write(readyLine);
  const handlers = { ...service.handlers(), ...new Programs(root).handlers() };
  const connection = new RpcConnection(process.stdin, process.stdout, handlers);
  connection.onClose(() => process.exit(0));
  // The hang-up of a lost terminal or connection comes as the end of stdin as well.
  process.on('SIGHUP', () => process.exit(0));
  void cleanUp(root).catch(() => {});
}

/** In a session of its own, before the first command, so that no command is ever without one. */
function startWatchdog(root: string, { pollSeconds, graceSeconds }: AgentTiming): void {
  const grace = Math.ceil(graceSeconds / pollSeconds);
  const parameters = ['-c', watchdogScript, 'sh', root, String(process.pid), String(pollSeconds), String(grace)];
  spawn('/bin/sh', parameters, { detached: true, stdio: 'ignore', cwd: '/' }).unref();
}

main();

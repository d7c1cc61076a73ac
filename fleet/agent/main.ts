import { parseArgs } from 'node:util';
import { RpcConnection } from '../wire/connection.ts';
import { Programs } from './programs.ts';
import { commands } from './platform/commands.ts';
import { supervise } from './platform/supervisor.ts';
import { readyLine } from './protocol.ts';
import { AgentService } from './service.ts';
import { defaultTiming, type AgentTiming } from './timing.ts';

/**
 * `serve --root DIR [--timing JSON]`: answers calls on stdin and stdout until stdin closes; commands go on without it.
 * `run FOLDER`: supervises one command, where the agent cannot leave that to a shell.
 */
function main(): void {
  const { values, positionals } = parseArgs({
    options: { root: { type: 'string' }, timing: { type: 'string' } },
    allowPositionals: true,
  });
  if (positionals[0] === 'run' && positionals[1] !== undefined) {
    void supervise(positionals[1], commands.endProcesses).then((code) => process.exit(code));
    return;
  }
  if (positionals[0] !== 'serve' || !values.root) {
    process.stderr.write('usage: serve --root DIR [--timing JSON]\n');
    process.exit(2);
  }
  const timing = { ...defaultTiming, ...(JSON.parse(values.timing ?? '{}') as Partial<AgentTiming>) };
  serve(values.root, timing);
}

function serve(root: string, timing: AgentTiming): void {
  const service = new AgentService({ root, timing });
  const endWatchdog = commands.startWatchdog(root, timing);
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

main();

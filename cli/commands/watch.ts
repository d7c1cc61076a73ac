import type { Command } from 'commander';
import { connect, type GlobalOptions } from '../connect.ts';
import { attach } from '../job/attach.ts';

export function configure(command: Command): void {
  command
    .argument('<job>', 'id of the job')
    .option('--json', 'print one JSON object per line, the result last')
    .action(async (jobId: string, { json }: { json?: boolean }, self: Command) => {
      const client = await connect(self.optsWithGlobals<GlobalOptions>());
      process.exitCode = await attach(client, jobId, { json: json === true, onApproval: 'watch' });
    });
}

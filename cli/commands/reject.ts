import type { Command } from 'commander';
import { connect, type GlobalOptions } from '../connect.ts';
import { sayDone } from '../say-done.ts';

export function configure(command: Command): void {
  command
    .argument('<job>', 'id of the job')
    .option('--reason <text>', 'why, for the record')
    .option('--json', 'print the answer as JSON')
    .action(async (jobId: string, { reason, json }: { reason?: string; json?: boolean }, self: Command) => {
      const client = await connect(self.optsWithGlobals<GlobalOptions>());
      await client.reject(jobId, reason);
      sayDone({ jobId, action: 'reject', text: 'rejected', json });
    });
}

import type { Command } from 'commander';
import { connect, type GlobalOptions } from '../connect.ts';
import { sayDone } from '../say-done.ts';

export function configure(command: Command): void {
  command
    .argument('<job>', 'id of the job')
    .option('--json', 'print the answer as JSON')
    .action(async (jobId: string, { json }: { json?: boolean }, self: Command) => {
      const client = await connect(self.optsWithGlobals<GlobalOptions>());
      await client.cancel(jobId);
      sayDone({ jobId, action: 'cancel', text: 'is being cancelled; its checkpoints are kept', json });
    });
}

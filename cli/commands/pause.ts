import type { Command } from 'commander';
import { connect, type GlobalOptions } from '../connect.ts';
import { sayDone } from '../say-done.ts';

export function configure(command: Command): void {
  command
    .argument('<job>', 'id of the job')
    .option('--json', 'print the answer as JSON')
    .action(async (jobId: string, { json }: { json?: boolean }, self: Command) => {
      const client = await connect(self.optsWithGlobals<GlobalOptions>());
      await client.pause(jobId);
      sayDone({
        jobId,
        action: 'pause',
        text: 'pauses: what runs now still ends, nothing more is started until "helix resume"',
        json,
      });
    });
}

import type { Command } from 'commander';
import { HelixError } from '../../contracts/error.ts';
import { checkpointSchema } from '../../contracts/job.ts';
import { connect, type GlobalOptions } from '../connect.ts';
import { sayDone } from '../say-done.ts';

export function configure(command: Command): void {
  command
    .argument('<job>', 'id of the job')
    .argument('<checkpoint>', 'id of the checkpoint, as "helix show" lists them')
    .option('--json', 'print the answer as JSON')
    .action(async (jobId: string, checkpoint: string, { json }: { json?: boolean }, self: Command) => {
      if (!checkpointSchema.shape.id.safeParse(checkpoint).success) {
        throw new HelixError('usage.invalid', `a checkpoint looks like c0 or c12, not "${checkpoint}"`);
      }
      const client = await connect(self.optsWithGlobals<GlobalOptions>());
      await client.rollback(jobId, checkpoint);
      sayDone({ jobId, action: 'rollback', text: `goes back to ${checkpoint}`, json });
    });
}

import type { Command } from 'commander';
import { connect, type GlobalOptions } from '../connect.ts';
import { sayDone } from '../say-done.ts';

/** Commands that give a job a message without anything more to say. */
function message(
  action: 'approve' | 'pause' | 'resume' | 'cancel',
  text: string,
): { configure(command: Command): void } {
  return {
    configure(command) {
      command
        .argument('<job>', 'id of the job')
        .option('--json', 'print the answer as JSON')
        .action(async (jobId: string, { json }: { json?: boolean }, self: Command) => {
          const client = await connect(self.optsWithGlobals<GlobalOptions>());
          await client[action](jobId);
          sayDone({ jobId, action, text, json });
        });
    },
  };
}

export const approve = message('approve', 'approved');
export const pause = message('pause', 'pauses: what runs now still ends, nothing more is started until "helix resume"');
export const resume = message('resume', 'goes on');
export const cancel = message('cancel', 'is being cancelled; its checkpoints are kept');

import type { Command } from 'commander';
import { connect, type GlobalOptions } from '../connect.ts';
import { readPatch } from '../job/read-patch.ts';
import { colourPatch } from '../text/colour-patch.ts';

export function configure(command: Command): void {
  command.argument('<job>', 'id of the job').action(async (jobId: string, _options: unknown, self: Command) => {
    const client = await connect(self.optsWithGlobals<GlobalOptions>());
    const { patch } = await readPatch(client, jobId);
    if (patch === null) process.stderr.write(`${jobId} changed nothing\n`);
    // Into a file or a pipe go the very bytes, for git to apply.
    else process.stdout.write(process.stdout.isTTY ? colourPatch(patch.toString('utf8')) : patch);
  });
}

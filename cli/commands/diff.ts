import type { Command } from 'commander';
import { connect, type GlobalOptions } from '../connect.ts';
import { readPatch } from '../job/read-patch.ts';
import { clean } from '../text/clean.ts';
import { style } from '../text/style.ts';

export function configure(command: Command): void {
  command.argument('<job>', 'id of the job').action(async (jobId: string, _options: unknown, self: Command) => {
    const client = await connect(self.optsWithGlobals<GlobalOptions>());
    const { patch } = await readPatch(client, jobId);
    if (patch === null) process.stderr.write(`${jobId} changed nothing\n`);
    // Into a file or a pipe go the very bytes, for git to apply.
    else process.stdout.write(process.stdout.isTTY ? colour(patch.toString('utf8')) : patch);
  });
}

/** The colours of `git diff`. */
function colour(patch: string): string {
  return clean(patch)
    .split('\n')
    .map((line) => {
      if (/^(diff|index|---|\+\+\+|new file|deleted file|old mode|new mode|rename|similarity)/.test(line))
        return style('bold', line);
      if (line.startsWith('@@')) return style('cyan', line);
      if (line.startsWith('+')) return style('green', line);
      return line.startsWith('-') ? style('red', line) : line;
    })
    .join('\n');
}

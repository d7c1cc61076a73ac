import { isAbsolute } from 'node:path';
import type { Command } from 'commander';
import { HelixError } from '../../contracts/error.ts';
import { connect, type GlobalOptions } from '../connect.ts';
import { readPatch } from '../job/read-patch.ts';
import { resolveLocation } from '../job/repository.ts';

interface ApplyOptions extends GlobalOptions {
  repo?: string;
}

export function configure(command: Command): void {
  command
    .argument('<job>', 'id of the job')
    .option('--repo <path>', 'the working tree (default: the one the job was started on)')
    .action(async (jobId: string, _options: unknown, self: Command) => {
      const options = self.optsWithGlobals<ApplyOptions>();
      const client = await connect(options);
      const { job, patch } = await readPatch(client, jobId);
      const location = options.repo === undefined ? job.request.source.location : await resolveLocation(options.repo);
      if (!isAbsolute(location)) {
        throw new HelixError(
          'usage.invalid',
          `${jobId} worked on ${location}: say with --repo which working tree its changes go to`,
        );
      }
      if (patch === null) {
        process.stderr.write(`${jobId} changed nothing\n`);
        return;
      }
      const { applyPatch } = await import('../../snapshots/apply.ts');
      const { files } = await applyPatch(location, patch);
      process.stdout.write(`${files} ${files === 1 ? 'file' : 'files'} changed in the working tree of ${location}\n`);
    });
}

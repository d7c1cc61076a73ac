import { tmpdir } from 'node:os';
import { HelixError } from '../contracts/error.ts';
import { GitError, gitReason, gitResult } from './git.ts';
import { openRepository } from './location.ts';
import { splitRecords } from './paths.ts';
import { withScratchRepository } from './repository-files.ts';

/**
 * Applies a patch to the working tree of the user's repository, all of it or nothing; index and HEAD stay. Files are taken as bytes:
 * no filter or line-end conversion of the repository takes part.
 * Throws HelixError `source.conflict` naming the files it does not fit, `source.not-a-repository`.
 */
export async function applyPatch(repository: string, patch: Buffer): Promise<{ files: number }> {
  const { workTree } = await openRepository(repository);
  if (workTree === undefined) {
    throw new HelixError(
      'source.not-a-repository',
      `${repository} is a bare repository without files: apply the patch to a clone of it`,
    );
  }
  if (patch.length === 0) return { files: 0 };
  return withScratchRepository(tmpdir(), async (gitDir) => {
    const tree = { gitDir, workTree, input: patch };
    const counted = await gitResult(['apply', '--numstat', '-z'], tree);
    if (counted.exitCode !== 0)
      throw new HelixError('usage.invalid', `this is no patch git can read: ${gitReason(counted.stderr)}`);
    const args = ['apply', '--whitespace=nowarn'];
    const { exitCode, stdout, stderr } = await gitResult(args, tree);
    if (exitCode !== 0) throw conflict(repository, stderr) ?? new GitError(args, { exitCode, stdout, stderr });
    const files = splitRecords(counted.stdout).filter((record) =>
      /^(\d+|-)\t(\d+|-)\t/.test(record.toString('latin1')),
    ).length;
    return { files };
  });
}

const misfits = [
  /^error: patch failed: (.+):\d+$/,
  /^error: (.+): patch does not apply$/,
  /^error: (.+): already exists in working directory$/,
  /^error: (.+): (?:No such file or directory|Not a directory|wrong type|has type .*|.*does not match.*)$/,
  /^error: the patch applies to '(.+)' \(/,
  /^error: (?:cannot apply binary patch to|affected file|binary patch does not apply to) '(.+)'/,
];

function conflict(repository: string, stderr: string): HelixError | undefined {
  const matches = stderr.split('\n').flatMap((line) => misfits.map((pattern) => pattern.exec(line)?.[1] ?? []).flat());
  const files = [...new Set(matches)];
  if (files.length === 0) return undefined;
  return new HelixError(
    'source.conflict',
    `nothing was applied to ${repository}: ${files.join(', ')} ${files.length === 1 ? 'has' : 'have'} changed since the job began. Undo the changes or commit them, and merge the job's branch instead`,
    { details: { files } },
  );
}

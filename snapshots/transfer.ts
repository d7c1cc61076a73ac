import { PassThrough } from 'node:stream';
import { GitError, git, gitResult } from './git.ts';
import type { Place } from './objects.ts';
import { receivePack } from './receive.ts';

/**
 * Copies what `tops` (trees or commits) need from one object database to another, sending only what is missing there.
 * Throws GitError when something is missing in `from`.
 */
export async function copyObjects(from: Place, to: Place, tops: string[]): Promise<void> {
  // Both of another repository's making: its commits are not walked, only what is named.
  const listed = (
    await git(['rev-list', '--objects', '--no-walk', '--stdin'], { ...from, input: lines(tops) })
  ).toString('latin1');
  const ids = listed
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.slice(0, 40));
  const checked = await git(['cat-file', '--batch-check=%(objectname)'], { ...to, input: lines(ids) });
  const missing = checked
    .toString('latin1')
    .split('\n')
    .filter((line) => line.endsWith(' missing'))
    .map((line) => line.slice(0, 40));
  if (missing.length === 0) return;
  const pack = new PassThrough();
  const args = ['pack-objects', '--stdout', '-q', '--delta-base-offset'];
  const sending = gitResult(args, { ...from, input: lines(missing), output: pack }).then((result) => {
    if (result.exitCode !== 0) throw new GitError(args, result);
  });
  sending.catch((error: unknown) => pack.destroy(error as Error));
  await receivePack(to, pack, { lenient: true });
  await sending;
}

function lines(ids: string[]): string {
  return ids.map((id) => `${id}\n`).join('');
}

import { copyFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HelixError } from '../contracts/error.ts';
import { GitError, git, gitReason, gitResult } from './git.ts';
import type { GitOptions } from './git.ts';
import { openRepository } from './location.ts';
import { decodePath, normalizeRelative, splitRecords } from './paths.ts';
import { withScratchRepository } from './repository-files.ts';
import { resolveCommit } from './source-commit.ts';

export interface HistoryCommit {
  commit: string;
  author: string;
  /** ISO 8601, in the author's time zone. */
  date: string;
  subject: string;
  body: string;
}

export interface BlamedLine {
  /** From 1. */
  line: number;
  commit: string;
  author: string;
  /** ISO 8601, UTC. */
  date: string;
  text: string;
}

export interface LogOptions {
  /** A branch, tag or commit; what is checked out when left out. */
  ref?: string | undefined;
  /** Only commits that changed this file or folder. */
  path?: string | undefined;
  limit: number;
}

export interface ShowOptions {
  ref?: string | undefined;
  /** Only the changes of these paths. */
  paths?: string[] | undefined;
}

export interface BlameOptions {
  path: string;
  ref?: string | undefined;
  /** First and last line, from 1. */
  lines?: [number, number] | undefined;
}

/**
 * The history of a repository on this machine. Nothing of its configuration takes part, so that it cannot start programs.
 * All throw HelixError `source.not-a-repository`, `source.ref-not-found` for a name that is no commit, and `usage.invalid` for a path outside it.
 */
export interface History {
  /** Newest first. */
  log(options: LogOptions): Promise<HistoryCommit[]>;
  /** Paths a commit changed against its first parent. */
  changedPaths(ref?: string): Promise<string[]>;
  /** A commit's patch against its first parent. */
  patch(options: ShowOptions): Promise<string>;
  /** Who last changed each line of a file. Throws HelixError `usage.invalid` when there is no such file or line. */
  blame(options: BlameOptions): Promise<BlamedLine[]>;
}

/** `repository` is the path of the user's repository; `defaultRef` stands for a `ref` that is left out. */
export function openHistory(repository: string, defaultRef = 'HEAD'): History {
  const at = <T>(ref: string | undefined, use: (place: GitOptions, commit: string) => Promise<T>): Promise<T> =>
    withHistory(repository, ref ?? defaultRef, use);

  return {
    log: ({ ref, path, limit }) =>
      at(ref, async (place, commit) => {
        const format = ['%H', '%an', '%aI', '%s', '%b'].join('%x00');
        const filter = path === undefined ? [] : ['--', normalizeRelative(path, 'the path')];
        const args = ['log', `-n${limit}`, '-z', `--format=${format}`, '--no-show-signature', commit, ...filter];
        const fields = splitRecords(await git(args, place)).map((field) => field.toString());
        const found: HistoryCommit[] = [];
        for (let index = 0; index + 3 < fields.length; index += 5) {
          const [id, author, date, subject, body = ''] = fields.slice(index, index + 5);
          found.push({ commit: id!, author: author!, date: date!, subject: subject!, body: body.trim() });
        }
        return found;
      }),

    changedPaths: (ref) =>
      at(ref, async (place, commit) => {
        const args = [
          'diff-tree',
          '--root',
          '-r',
          '-z',
          '-m',
          '--first-parent',
          '--no-commit-id',
          '--name-only',
          commit,
        ];
        return splitRecords(await git(args, place)).map(decodePath);
      }),

    patch: ({ ref, paths }) =>
      at(ref, async (place, commit) => {
        const filter = paths ? ['--', ...paths.map((path) => normalizeRelative(path, 'the path'))] : [];
        const format = [
          '-p',
          '-M',
          '--no-ext-diff',
          '--no-textconv',
          '--no-color',
          '--no-commit-id',
          '-m',
          '--first-parent',
        ];
        return (await git(['diff-tree', '--root', ...format, commit, ...filter], place)).toString();
      }),

    blame: ({ path, ref, lines }) =>
      at(ref, async (place, commit) => {
        const file = normalizeRelative(path, 'the path');
        const range = lines ? [`-L${lines[0]},${lines[1]}`] : [];
        const args = ['blame', '--line-porcelain', '--no-textconv', ...range, commit, '--', file];
        const result = await gitResult(args, place);
        if (result.exitCode === 0) return parseBlame(result.stdout.toString());
        if (!/no such path|has only \d+ lines?|file .* has/.test(result.stderr)) throw new GitError(args, result);
        throw new HelixError('usage.invalid', `${file} in ${commit.slice(0, 12)}: ${gitReason(result.stderr)}`);
      }),
  };
}

async function withHistory<T>(
  path: string,
  ref: string,
  use: (place: GitOptions, commit: string) => Promise<T>,
): Promise<T> {
  const repository = await openRepository(path);
  const commit = ref.startsWith('-') ? undefined : await resolveCommit(repository, ref);
  if (commit === undefined) {
    throw new HelixError('source.ref-not-found', `${path} has no commit "${ref}": name a branch, a tag or a commit`);
  }
  return withScratchRepository(tmpdir(), async (gitDir) => {
    // Where a shallow clone ends.
    await copyFile(join(repository.commonDir, 'shallow'), join(gitDir, 'shallow')).catch(() => undefined);
    return use({ gitDir, alternates: [join(repository.commonDir, 'objects')] }, commit);
  });
}

function parseBlame(output: string): BlamedLine[] {
  const found: BlamedLine[] = [];
  let commit = '';
  let line = 0;
  let author = '';
  let seconds = 0;
  for (const row of output.split('\n')) {
    const header = /^([0-9a-f]{40}) \d+ (\d+)/.exec(row);
    if (header) [commit, line] = [header[1]!, Number(header[2])];
    else if (row.startsWith('author ')) author = row.slice(7);
    else if (row.startsWith('author-time ')) seconds = Number(row.slice(12));
    else if (row.startsWith('\t'))
      found.push({ line, commit, author, date: new Date(seconds * 1000).toISOString(), text: row.slice(1) });
  }
  return found;
}

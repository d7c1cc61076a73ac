import { z } from 'zod';
import { HelixError } from '../../contracts/error.ts';
import { openHistory } from '../../snapshots/history.ts';
import type { History } from '../../snapshots/history.ts';
import { decide } from '../permissions.ts';
import { normalPath } from './workspace.ts';
import { defineTool, pathParameter, text } from './tool.ts';
import type { ToolContext } from './tool.ts';

export const gitHistoryTool = defineTool({
  name: 'git-history',
  description:
    'The history of the repository before this work: "log" lists commits (of a path), "show" gives a commit with its changes, "blame" says who last changed each line of a file. It does not show what you have changed.',
  parameters: z.strictObject({
    action: z.enum(['log', 'show', 'blame']),
    path: pathParameter.optional().describe('log and show: only changes of this file or folder; blame: the file'),
    ref: z.string().min(1).optional().describe('A branch, tag or commit; where this work began when left out'),
    limit: z.number().int().min(1).max(200).optional().describe('log: most commits; 20 when left out'),
    fromLine: z.number().int().min(1).optional().describe('blame: first line'),
    toLine: z.number().int().min(1).optional().describe('blame: last line'),
  }),
  accesses: ({ path = '.' }) => [{ kind: 'read', path }],
  summary: ({ action, path, ref }) => ['git', action, ref, path].filter((part) => part !== undefined).join(' '),

  async execute({ action, path: given, ref, limit = 20, fromLine, toLine }, context) {
    const { source } = context;
    if (!source)
      throw new HelixError(
        'usage.invalid',
        'the history is not on this machine: only the files of the workspace are known',
      );
    const history = openHistory(source.location, source.commit ?? 'HEAD');
    const place = given === undefined ? undefined : normalPath(given);
    const path = place === '.' ? undefined : place;
    if (action === 'log') return text(await log(history, { path, ref, limit }));
    if (action === 'show') return text(await show(history, context, { path, ref }));
    if (path === undefined) throw new HelixError('usage.invalid', 'blame needs "path": the file to explain');
    const first = fromLine ?? 1;
    const lines: [number, number] | undefined =
      fromLine === undefined && toLine === undefined ? undefined : [first, toLine ?? first + 199];
    const blamed = await history.blame({ path, ref, lines });
    return text(
      blamed
        .map(
          ({ line, commit, author, date, text }) =>
            `${line}\t${commit.slice(0, 10)} ${date.slice(0, 10)} ${author}\t${text}`,
        )
        .join('\n'),
    );
  },
});

async function log(
  history: History,
  options: { path: string | undefined; ref: string | undefined; limit: number },
): Promise<string> {
  const commits = await history.log(options);
  if (commits.length === 0) return 'No commits.';
  return commits
    .map(({ commit, date, author, subject }) => `${commit.slice(0, 12)} ${date.slice(0, 10)} ${author}: ${subject}`)
    .join('\n');
}

const mostHidden = 200;

async function show(
  history: History,
  { permissions }: ToolContext,
  { path, ref }: { path: string | undefined; ref: string | undefined },
): Promise<string> {
  const [commit] = await history.log({ ref, limit: 1 });
  const changed = (await history.changedPaths(ref)).filter(
    (one) => path === undefined || one === path || one.startsWith(`${path}/`),
  );
  // Old content is content: what must not be read now must not be read from the past.
  const readable = changed.filter(
    (one) => decide(permissions, { tool: 'git-history', kind: 'read', path: one }).decision === 'allow',
  );
  const hidden = changed.length - readable.length;
  if (hidden > 0 && readable.length > mostHidden) {
    throw new HelixError(
      'usage.invalid',
      `${hidden} of the ${changed.length} files this commit changed must not be read: give "path"`,
    );
  }
  const patch =
    readable.length === 0
      ? ''
      : await history.patch({
          ref,
          ...(hidden > 0 ? { paths: readable } : path === undefined ? {} : { paths: [path] }),
        });
  const notes = [
    ...(changed.length === 0 ? ['(no changes)'] : []),
    ...(hidden > 0 ? [`[${hidden} files are left out, reading them is not allowed without asking]`] : []),
  ];
  const { commit: id, author, date, subject, body } = commit!;
  return [`commit ${id}`, `${author}, ${date}`, '', subject, ...(body ? ['', body] : []), '', patch, ...notes].join(
    '\n',
  );
}

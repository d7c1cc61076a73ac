import { z } from 'zod';
import { HelixError } from '../../contracts/error.ts';
import { findFiles, listFolder } from '../../snapshots/search.ts';
import { existing, normalPath } from './workspace.ts';
import { defineTool, pathParameter, text } from './tool.ts';

const mostEntries = 1_000;

export const listTool = defineTool({
  name: 'list',
  description:
    'Lists what is in a folder, or with "glob" all files below it that match, e.g. "**/*.test.ts" or "*.{ts,tsx}". Files that git ignores are not in the workspace.',
  parameters: z.strictObject({
    path: pathParameter.optional().describe('Folder; the root when left out'),
    glob: z
      .string()
      .min(1)
      .optional()
      .describe('"*" stays in a folder, "**" crosses folders; without "/" it is meant at any depth'),
  }),
  accesses: ({ path = '.' }) => [{ kind: 'read', path }],
  summary: ({ path = '.', glob }) => `list ${glob === undefined ? path : `${glob} in ${path}`}`,

  async execute({ path = '.', glob }, context) {
    const { store, snapshot } = context;
    const folder = normalPath(path);
    const { kind } = await existing(context, folder);
    if (kind !== 'folder') throw new HelixError('usage.invalid', `${folder} is a file: use "read"`);
    const lines =
      glob === undefined
        ? ((await listFolder(store, snapshot, folder)) ?? []).map((entry) =>
            entry.kind === 'folder'
              ? `${entry.name}/`
              : `${entry.name}\t${entry.bytes} bytes${entry.kind === 'file' ? '' : `, ${entry.kind}`}`,
          )
        : await findFiles(store, snapshot, { path: folder, glob });
    if (lines.length === 0)
      return text(glob === undefined ? `${folder} is empty.` : `No file in ${folder} matches ${glob}.`);
    const shown = lines.slice(0, mostEntries);
    if (lines.length > shown.length) shown.push(`[${shown.length} of ${lines.length}: give a narrower path or glob]`);
    return text(shown.join('\n'));
  },
});

import { z } from 'zod';
import { searchSnapshot } from '../../snapshots/search.ts';
import type { FoundLine } from '../../snapshots/search.ts';
import { decide } from '../permissions.ts';
import { existing, normalPath } from './workspace.ts';
import { defineTool, pathParameter, text } from './tool.ts';

export const searchTool = defineTool({
  name: 'search',
  description:
    'Finds the lines that match a regular expression (Perl syntax), with the path and number of each. Narrow it with "path" (file or folder) and "glob". Binary files, and files you may not read without asking, are left out.',
  parameters: z.strictObject({
    pattern: z.string().min(1),
    path: pathParameter.optional().describe('File or folder; everything when left out'),
    glob: z.string().min(1).optional().describe('Only files that match, e.g. "*.ts" or "src/**"'),
    ignoreCase: z.boolean().optional(),
    context: z.number().int().min(0).max(20).optional().describe('Lines to show before and after each match'),
    limit: z.number().int().min(1).max(1_000).optional().describe('Most matches; 200 when left out'),
  }),
  accesses: ({ path = '.' }) => [{ kind: 'read', path }],
  summary: ({ pattern, path, glob }) =>
    `search ${pattern}${path === undefined ? '' : ` in ${path}`}${glob === undefined ? '' : ` (${glob})`}`,

  async execute({ path, limit = 200, ...options }, context) {
    const { store, snapshot, permissions } = context;
    const place = path === undefined ? undefined : normalPath(path);
    if (place !== undefined) await existing(context, place);
    // What must not be read must not be found out by searches either.
    const accepts = (file: string): boolean =>
      decide(permissions, { tool: 'search', kind: 'read', path: file }).decision === 'allow';
    const found = await searchSnapshot(store, snapshot, { ...options, path: place, limit, accepts });
    const notes = [
      ...(found.lines.length === 0 ? ['No matches.'] : []),
      ...(found.isCut ? [`[the first ${limit} matches: there are more]`] : []),
    ];
    return text([...shown(found.lines), ...notes].join('\n'));
  },
});

function shown(lines: FoundLine[]): string[] {
  let last: FoundLine | undefined;
  return lines.flatMap((line) => {
    const isNewFile = line.path !== last?.path;
    const isGap = !isNewFile && line.line !== last!.line + 1 && !(line.isMatch && last!.isMatch);
    last = line;
    return [
      ...(isNewFile ? [line.path] : []),
      ...(isGap ? ['  …'] : []),
      `  ${line.line}${line.isMatch ? ':' : '-'} ${line.text}`,
    ];
  });
}

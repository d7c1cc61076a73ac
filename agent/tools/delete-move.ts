import { z } from 'zod';
import { HelixError } from '../../contracts/error.ts';
import { editSnapshot } from '../../snapshots/edit.ts';
import { statPath } from '../../snapshots/search.ts';
import { workspacePath } from '../paths.ts';
import { existing, filesAt, normalPath } from './workspace.ts';
import { defineTool, pathParameter, text } from './tool.ts';
import type { Access, ToolContext } from './tool.ts';

export const deleteTool = defineTool({
  name: 'delete',
  description: 'Deletes a file, or a folder with all that is in it.',
  parameters: z.strictObject({ path: pathParameter }),
  accesses: ({ path }, context) => editsBelow(context, path),
  summary: ({ path }) => `delete ${path}`,

  async execute({ path }, context) {
    const place = normalPath(path);
    if (place === '.')
      throw new HelixError('usage.invalid', 'the workspace itself cannot be deleted: name what is in it');
    await existing(context, place);
    const files = await filesAt(context, place);
    const snapshot = await editSnapshot(context.store, context.snapshot, [{ path: place, content: null }]);
    return text(`${place} deleted${files.length > 1 ? `, ${files.length} files` : ''}.`, { snapshot });
  },
});

export const moveTool = defineTool({
  name: 'move',
  description:
    'Moves or renames a file or a folder. "to" is its whole new path and must not exist. References to it are not changed.',
  parameters: z.strictObject({ from: pathParameter, to: pathParameter }),
  // Under another name a file can be read by whoever may read there.
  accesses: async ({ from, to }, context) => [
    ...(await editsBelow(context, from)).flatMap((edit): Access[] => [edit, { ...edit, kind: 'read' }]),
    ...(await editsBelow(context, from, to)),
  ],
  summary: ({ from, to }) => `move ${from} to ${to}`,

  async execute({ from, to }, context) {
    const [source, target] = [normalPath(from), normalPath(to)];
    if (source === '.')
      throw new HelixError('usage.invalid', 'the workspace itself cannot be moved: name what is in it');
    await existing(context, source);
    if (await statPath(context.store, context.snapshot, target)) {
      throw new HelixError(
        'usage.invalid',
        `${target} is there already: "to" is the whole new path, and must not exist`,
      );
    }
    const snapshot = await editSnapshot(context.store, context.snapshot, [
      { path: target, from: source },
      { path: source, content: null },
    ]);
    return text(`${source} moved to ${target}.`, { snapshot });
  },
});

/** Edits of a path and of each file below it, or of what they would be called with another path in its place. */
async function editsBelow(context: ToolContext, given: string, renamed = given): Promise<Access[]> {
  const path = workspacePath(given);
  const own: Access = { kind: 'edit', path: renamed };
  if (path === undefined) return [{ kind: 'edit', path: given }, own];
  const files = await filesAt(context, path).catch(() => []);
  const below = files.filter((file) => file !== path).map((file) => file.slice(path === '.' ? 0 : path.length + 1));
  return [own, ...below.map((file): Access => ({ kind: 'edit', path: `${renamed}/${file}` }))];
}

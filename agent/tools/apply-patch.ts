import { z } from 'zod';
import { HelixError } from '../../contracts/error.ts';
import { editSnapshot } from '../../snapshots/edit.ts';
import type { FileChange } from '../../snapshots/edit.ts';
import { statPath } from '../../snapshots/search.ts';
import { applyHunks, parsePatch } from '../patch.ts';
import type { FilePatch } from '../patch.ts';
import { normalPath, readText } from './workspace.ts';
import { defineTool, text } from './tool.ts';
import type { Access, ToolContext } from './tool.ts';

export const applyPatchTool = defineTool({
  name: 'apply-patch',
  description: `Changes several files at once, all of them or none. "patch" is a unified diff as "git diff" prints it, or:
*** Begin Patch
*** Update File: path          (then, to rename it: *** Move to: path)
@@ a line that stands before it, where needed
 an unchanged line
-a line to remove
+a line to add
*** Add File: path             (then its lines, each after a "+")
*** Delete File: path
*** End Patch
The unchanged and removed lines have to be in the file as given; line numbers need not be right.`,
  parameters: z.strictObject({ patch: z.string().min(1) }),
  accesses: ({ patch }) => readable(patch).flatMap(accessesOf),
  summary: ({ patch }) =>
    `patch ${
      readable(patch)
        .map(({ path }) => path)
        .join(', ') || 'nothing'
    }`,

  async execute({ patch }, context) {
    const files = parsePatch(patch);
    const changes: FileChange[] = [];
    const told: string[] = [];
    for (const file of files) {
      changes.push(...(await changesOf(file, context)));
      const to = file.type === 'update' && file.to !== undefined ? ` -> ${file.to}` : '';
      told.push(`${{ add: 'A', delete: 'D', update: 'M' }[file.type]} ${file.path}${to}`);
    }
    return text(told.join('\n'), { snapshot: await editSnapshot(context.store, context.snapshot, changes) });
  },
});

/** The files of a patch; none of one that cannot be read, which changes nothing. */
function readable(patch: string): FilePatch[] {
  try {
    return parsePatch(patch);
  } catch {
    return [];
  }
}

/** To change a file by a patch is to read it: what does not fit is shown, and under another name it can be read by whoever may read there. */
function accessesOf(file: FilePatch): Access[] {
  const own: Access = { kind: 'edit', path: file.path };
  if (file.type !== 'update') return [own];
  const read: Access = { kind: 'read', path: file.path };
  return file.to === undefined ? [own, read] : [own, read, { kind: 'edit', path: file.to }];
}

async function changesOf(file: FilePatch, context: ToolContext): Promise<FileChange[]> {
  const { store, snapshot } = context;
  const path = normalPath(file.path);
  if (file.type === 'add') {
    if (await statPath(store, snapshot, path)) {
      throw new HelixError(
        'usage.invalid',
        `nothing was changed: ${path} is to be added but is there already; update it instead`,
      );
    }
    const content = file.lines.join('\n') + (file.endsInNewline && file.lines.length > 0 ? '\n' : '');
    return [{ path, content: Buffer.from(content), executable: file.executable }];
  }
  const before = await readText(context, path).catch((error: unknown) => {
    throw error instanceof HelixError
      ? new HelixError(error.code, `nothing was changed: ${error.message}`, { cause: error })
      : error;
  });
  if (file.type === 'delete') return [{ path, content: null }];
  const content = Buffer.from(applyHunks(path, before, file.hunks));
  if (file.to === undefined) return [{ path, content }];
  const to = normalPath(file.to);
  const target = await statPath(store, snapshot, to);
  if (target && to !== path) throw new HelixError('usage.invalid', `nothing was changed: ${to} is there already`);
  if (to === path) return [{ path, content }];
  const { kind } = (await statPath(store, snapshot, path))!;
  return [
    { path, content: null },
    { path: to, content, executable: kind === 'executable' },
  ];
}

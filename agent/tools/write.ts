import { z } from 'zod';
import { HelixError } from '../../contracts/error.ts';
import { editSnapshot } from '../../snapshots/edit.ts';
import { statPath } from '../../snapshots/search.ts';
import { normalPath } from './workspace.ts';
import { defineTool, pathParameter, text } from './tool.ts';

export const writeTool = defineTool({
  name: 'write',
  description:
    'Writes a whole file, making it and its folders where they are missing and replacing all that was in it. Use "edit" to change a part of a file.',
  parameters: z.strictObject({
    path: pathParameter,
    content: z.string(),
    executable: z.boolean().optional().describe('Whether it can be run; as before when left out'),
  }),
  accesses: ({ path }) => [{ kind: 'edit', path }],
  summary: ({ path }) => `write ${path}`,

  async execute({ path, content, executable }, { store, snapshot }) {
    const file = normalPath(path);
    const before = await statPath(store, snapshot, file);
    if (before?.kind === 'symlink') {
      throw new HelixError(
        'usage.invalid',
        `${file} is a symbolic link: write the file it leads to, or delete it first`,
      );
    }
    const bytes = Buffer.from(content);
    const change = { path: file, content: bytes, ...(executable === undefined ? {} : { executable }) };
    return text(`${file} ${before ? 'replaced' : 'made'}: ${bytes.length} bytes.`, {
      snapshot: await editSnapshot(store, snapshot, [change]),
    });
  },
});

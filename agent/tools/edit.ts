import { z } from 'zod';
import { HelixError } from '../../contracts/error.ts';
import { editSnapshot } from '../../snapshots/edit.ts';
import { nearestLines } from './nearest-lines.ts';
import { normalPath, readText } from './workspace.ts';
import { defineTool, pathParameter, text } from './tool.ts';

export const editTool = defineTool({
  name: 'edit',
  description:
    'Replaces a piece of a file by another. "oldText" has to be in the file exactly as given, with its spaces and line breaks and without line numbers, and once only; give more of what is around it, or set "replaceAll".',
  parameters: z.strictObject({
    path: pathParameter,
    oldText: z.string().min(1),
    newText: z.string(),
    replaceAll: z.boolean().optional(),
  }),
  // Where the old text is not there, the nearest lines are shown: that is reading.
  accesses: ({ path }) => [
    { kind: 'edit', path },
    { kind: 'read', path },
  ],
  summary: ({ path }) => `edit ${path}`,

  async execute({ path, oldText, newText, replaceAll = false }, context) {
    const { store, snapshot } = context;
    const file = normalPath(path);
    const content = await readText(context, file);
    // A model does not see the line ends of a file.
    const isCrlf = !content.includes(oldText) && content.includes('\r\n');
    const inFile = (piece: string): string => (isCrlf ? piece.replace(/\r?\n/g, '\r\n') : piece);
    const pieces = content.split(inFile(oldText));
    const count = pieces.length - 1;
    if (oldText === newText)
      throw new HelixError('usage.invalid', `oldText and newText are the same: ${file} was left as it is`);
    if (count === 0)
      throw new HelixError('usage.invalid', `oldText is not in ${file}. ${nearestLines(content, oldText)}`);
    if (count > 1 && !replaceAll) {
      throw new HelixError(
        'usage.invalid',
        `oldText is ${count} times in ${file}, at lines ${lineNumbers(pieces).join(', ')}: give more of the lines around the one you mean, or set replaceAll`,
      );
    }
    const edited = Buffer.from(pieces.join(inFile(newText)));
    return text(
      `${file}: ${count === 1 ? 'replaced' : `replaced ${count} times`}, from line ${lineNumbers(pieces)[0]}.`,
      {
        snapshot: await editSnapshot(store, snapshot, [{ path: file, content: edited }]),
      },
    );
  },
});

function lineNumbers(pieces: string[]): number[] {
  // Good enough to find them: breaks within the old text itself are not counted.
  let line = 1;
  return pieces.slice(0, Math.min(pieces.length - 1, 20)).map((piece) => (line += piece.split('\n').length - 1));
}

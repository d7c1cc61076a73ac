import { z } from 'zod';
import { imageType, largestImage } from '../../contracts/attachment.ts';
import { HelixError } from '../../contracts/error.ts';
import { isText, normalPath, readFile } from './workspace.ts';
import { defineTool, pathParameter, text } from './tool.ts';

const mostLines = 2_000;
const mostCharacters = 28_000;
const longestLine = 2_000;

export const readTool = defineTool({
  name: 'read',
  description:
    'Reads a file. Text comes with the number of each line and a tab before it; they are not part of the file. Long files come in parts: go on with "offset". Images (PNG, JPEG, GIF, WebP) are shown.',
  parameters: z.strictObject({
    path: pathParameter,
    offset: z.number().int().min(1).optional().describe('First line to read, from 1'),
    limit: z.number().int().min(1).max(mostLines).optional().describe('How many lines'),
  }),
  accesses: ({ path }) => [{ kind: 'read', path }],
  summary: ({ path, offset, limit }) =>
    `read ${path}${offset === undefined && limit === undefined ? '' : `, from line ${offset ?? 1}`}`,

  async execute({ path, offset = 1, limit = mostLines }, context) {
    const file = normalPath(path);
    const content = await readFile(context, file);
    const mediaType = imageType(content);
    if (mediaType) {
      if (content.length > largestImage) {
        throw new HelixError(
          'usage.invalid',
          `${file} is too large an image: ${content.length} bytes, the limit is ${largestImage}`,
        );
      }
      return { result: { content: [{ type: 'image', mediaType, data: content.toString('base64') }] } };
    }
    if (!isText(content)) return text(`${file} is a binary file of ${content.length} bytes.`);
    if (content.length === 0) return text(`${file} is empty.`);
    const lines = content.toString().split('\n');
    if (lines.at(-1) === '') lines.pop();
    if (offset > lines.length) {
      throw new HelixError('usage.invalid', `${file} has ${lines.length} lines: offset ${offset} is behind its end`);
    }
    return text(page(file, lines, offset, limit));
  },
});

function page(file: string, lines: string[], offset: number, limit: number): string {
  const shown: string[] = [];
  let characters = 0;
  for (const line of lines.slice(offset - 1, offset - 1 + limit)) {
    const cut = line.length > longestLine ? `${line.slice(0, longestLine)}… (${line.length} characters)` : line;
    const numbered = `${offset + shown.length}\t${cut.replace(/\r$/, '')}`;
    characters += numbered.length + 1;
    if (characters > mostCharacters && shown.length > 0) break;
    shown.push(numbered);
  }
  const next = offset + shown.length;
  if (next <= lines.length)
    shown.push(`[lines ${offset} to ${next - 1} of ${lines.length} of ${file}: go on with offset ${next}]`);
  return shown.join('\n');
}

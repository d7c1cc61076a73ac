import { z } from 'zod';
import { HelixError } from '../../contracts/error.ts';
import { longestResult } from '../output-limit.ts';
import { defineTool, text } from './tool.ts';

export const readOutputTool = defineTool({
  name: 'read-output',
  description: 'Reads on in a result that was too long and was cut: the hash is in the note at the cut.',
  parameters: z.strictObject({
    hash: z.string().regex(/^[0-9a-f]{64}$/, '64 hexadecimal digits, from the note at the cut'),
    offset: z.number().int().min(0).optional().describe('Byte to begin at, from 0'),
    limit: z.number().int().min(1).max(longestResult).optional().describe('How many bytes'),
  }),
  accesses: () => [{ kind: 'read' }],
  summary: ({ hash, offset = 0 }) => `read output ${hash.slice(0, 12)} from ${offset}`,

  async execute({ hash, offset = 0, limit = 20_000 }, { blobs }) {
    const whole = await blobs.get(hash);
    if (!whole)
      throw new HelixError('usage.invalid', `there is no output ${hash}: take the hash from the note at the cut`);
    if (offset >= whole.length) {
      throw new HelixError('usage.invalid', `the output has ${whole.length} bytes: offset ${offset} is behind its end`);
    }
    const end = Math.min(whole.length, offset + limit);
    const rest = end < whole.length ? `\n[bytes ${offset} to ${end} of ${whole.length}: go on with offset ${end}]` : '';
    return text(whole.toString('utf8', offset, end) + rest);
  },
});

import type { BlobStore } from '../blobs/blob-store.ts';
import type { ToolResult } from './tools/tool.ts';

/** Bytes of text in one result. */
export const longestResult = 30_000;
const shareOfStart = 0.4;

/** A result that fits: of a longer text its start and its end, and the whole in the blob store for `read-output`. */
export async function limitOutput(blobs: BlobStore, content: ToolResult['content']): Promise<ToolResult['content']> {
  return Promise.all(
    content.map(async (part) => {
      if (part.type !== 'text' || Buffer.byteLength(part.text) <= longestResult) return part;
      const whole = Buffer.from(part.text);
      const hash = await blobs.put(whole);
      const start = boundary(whole, Math.floor(longestResult * shareOfStart));
      const end = boundary(whole, whole.length - Math.floor(longestResult * (1 - shareOfStart)));
      const note = `\n\n[cut here: ${end - start} of ${whole.length} bytes are left out; read them with read-output, hash ${hash}, offset ${start}]\n\n`;
      return { ...part, text: whole.toString('utf8', 0, start) + note + whole.toString('utf8', end) };
    }),
  );
}

/** The nearest place before an offset where a line begins, else where a character does. */
function boundary(whole: Buffer, offset: number): number {
  const lineStart = whole.lastIndexOf(0x0a, offset) + 1;
  if (lineStart > offset - 2_000 && lineStart > 0) return lineStart;
  let at = offset;
  while (at > 0 && (whole[at]! & 0xc0) === 0x80) at -= 1;
  return at;
}

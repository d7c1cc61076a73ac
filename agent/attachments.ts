import type { BlobStore } from '../blobs/blob-store.ts';
import { type Attachment, readAttachment } from '../contracts/attachment.ts';
import { HelixError } from '../contracts/error.ts';
import type { ImagePart, TextPart } from '../contracts/llm.ts';

/** What a model is shown of attached files: images under their names, texts in quotes. Throws `artifact.not-found` and `usage.invalid`. */
export async function attachmentParts(
  blobs: BlobStore,
  attachments: readonly Attachment[],
): Promise<(TextPart | ImagePart)[]> {
  const parts = await Promise.all(
    attachments.map(async ({ name, hash }): Promise<(TextPart | ImagePart)[]> => {
      const content = await blobs.get(hash);
      if (!content) throw new HelixError('artifact.not-found', `the attached file ${name} is not in the blob store`);
      const known = readAttachment(name, content);
      if (known.kind === 'text') return [{ type: 'text', text: quoted(name, known.text) }];
      return [
        { type: 'text', text: `Attached image ${JSON.stringify(name)}:` },
        { type: 'image', mediaType: known.mediaType, data: '', blob: hash },
      ];
    }),
  );
  return parts.flat();
}

/** Nothing within the text ends the quote. */
function quoted(name: string, text: string): string {
  return `<attached-file name=${JSON.stringify(name)}>\n${text.replaceAll('</attached-file', '<\\/attached-file')}\n</attached-file>`;
}

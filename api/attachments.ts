import { type Attachment, checkAttached, readAttachment } from '../contracts/attachment.ts';
import { HelixError } from '../contracts/error.ts';
import type { ApiDeps, Needs } from './deps.ts';

/** What attached files ask of a model. Throws `artifact.not-found` for one that was not uploaded, `usage.invalid` for one that cannot be attached. */
export async function needsOf(
  { readBlob }: Pick<ApiDeps, 'readBlob'>,
  attachments: readonly Attachment[] = [],
): Promise<Needs> {
  const contents = await Promise.all(
    attachments.map(async ({ name, hash }) => {
      const content = await readBlob(hash);
      if (content) return { name, content };
      throw new HelixError('artifact.not-found', `${name} was not uploaded: POST it to /v1/attachments first`);
    }),
  );
  checkAttached(contents.map(({ content }) => content.length));
  const kinds = contents.map(({ name, content }) => readAttachment(name, content).kind);
  return kinds.includes('image') ? { vision: true } : {};
}

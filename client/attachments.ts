import { type StoredAttachment, storedAttachmentSchema } from '../contracts/attachment.ts';
import type { Http } from './http.ts';

/** Uploads a file, to be attached by the hash that comes back. Throws `usage.invalid` for one that models are not given. */
export async function uploadFile(http: Http, name: string, content: Uint8Array): Promise<StoredAttachment> {
  return await http.json(storedAttachmentSchema, `/attachments?name=${encodeURIComponent(name)}`, {
    method: 'POST',
    bytes: content,
  });
}

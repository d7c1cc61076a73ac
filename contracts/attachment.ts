import { z } from 'zod';
import { HelixError } from './error.ts';
import type { ImagePart } from './llm.ts';

/** A file given along with what a user says: its bytes are a blob. */
export const attachmentSchema = z.strictObject({
  /** Of the file, without its folder. */
  name: z
    .string()
    .max(200)
    .regex(/^[^\p{Cc}/\\]+$/u, 'the name of a file, without its folder'),
  /** Blob hash, as `POST /v1/attachments` answers it. */
  hash: z.string().regex(/^[0-9a-f]{64}$/, 'a hash is 64 hexadecimal digits'),
});
export type Attachment = z.infer<typeof attachmentSchema>;

export const mostAttachments = 10;
export const attachmentsSchema = z.array(attachmentSchema).max(mostAttachments);

/** Bytes: 5 MiB as base64, which is what providers measure and the least that any of them takes. */
export const largestImage = 3_932_160;
/** Bytes: about 60,000 tokens, which leaves room in every context of today. */
export const largestText = 256 * 1024;
/** Bytes of all that is given along with one message: as base64 within the 20 MB that every provider takes as a request. */
export const mostAttachedBytes = 12 * 1024 * 1024;

export const storedAttachmentSchema = z.object({
  ...attachmentSchema.shape,
  kind: z.enum(['image', 'text']),
  bytes: z.number().int(),
});
export type StoredAttachment = z.infer<typeof storedAttachmentSchema>;

export type AttachmentContent = { kind: 'image'; mediaType: ImagePart['mediaType'] } | { kind: 'text'; text: string };

/** What a file is to a model, by its bytes and whatever it is called. Throws `usage.invalid` that says what can be attached. */
export function readAttachment(name: string, content: Uint8Array): AttachmentContent {
  const mediaType = imageType(content);
  const other = otherKind(content);
  const text = (mediaType ?? other) ? undefined : plainText(content);
  const limit = mediaType ? largestImage : largestText;
  if (content.length === 0) throw refused(`${name} is empty`);
  if (mediaType === undefined && text === undefined)
    throw refused(`${name} is ${other ?? 'neither an image nor a text'}`);
  if (content.length > limit)
    throw refused(
      `${name} has ${content.length} bytes, and ${mediaType ? 'an image' : 'a text'} may have at most ${limit}`,
    );
  return mediaType ? { kind: 'image', mediaType } : { kind: 'text', text: text! };
}

/** Throws `usage.invalid` when there is more than one message may carry. */
export function checkAttached(sizes: readonly number[]): void {
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  if (sizes.length > mostAttachments)
    throw new HelixError('usage.invalid', `${sizes.length} files are attached, at most ${mostAttachments} may be`);
  if (bytes > mostAttachedBytes)
    throw new HelixError(
      'usage.invalid',
      `the attached files have ${bytes} bytes together, at most ${mostAttachedBytes} may be attached to one message`,
    );
}

/** By its first bytes; undefined for what is no image of a kind that models are given. */
export function imageType(content: Uint8Array): ImagePart['mediaType'] | undefined {
  const start = String.fromCharCode(...content.subarray(0, 12));
  if (start.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png';
  if (start.startsWith('\xff\xd8\xff')) return 'image/jpeg';
  if (/^GIF8[79]a/.test(start)) return 'image/gif';
  if (/^RIFF.{4}WEBP/s.test(start)) return 'image/webp';
  return undefined;
}

function plainText(content: Uint8Array): string | undefined {
  if (content.includes(0)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    return undefined;
  }
}

function refused(what: string): HelixError {
  return new HelixError(
    'usage.invalid',
    `${what}: images (PNG, JPEG, GIF, WebP; at most ${largestImage} bytes) and text files (UTF-8; at most ${largestText} bytes) can be attached`,
  );
}

/** Kinds of files that people try, by their first bytes. */
const others: readonly [start: RegExp, what: string][] = [
  [/^%PDF-/, 'a PDF'],
  [/^PK\x03\x04/, 'a zip archive or an office document'],
  [/^\x1f\x8b/, 'a gzip archive'],
  [/^BM.{4}\0{4}/s, 'a bitmap (BMP)'],
  [/^(II\*\0|MM\0\*)/, 'a TIFF image'],
  [/^.{4}ftyp(heic|heix|mif1|avif)/s, 'an HEIC or AVIF image'],
  [/^.{4}ftyp/s, 'a video'],
  [/^(\xff\xfe|\xfe\xff)/, 'a text in UTF-16'],
];

function otherKind(content: Uint8Array): string | undefined {
  const start = String.fromCharCode(...content.subarray(0, 12));
  return others.find(([pattern]) => pattern.test(start))?.[1];
}

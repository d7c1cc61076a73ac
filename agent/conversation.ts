import type { BlobStore } from '../blobs/blob-store.ts';
import type { ConversationEntry } from '../contracts/agent.ts';
import { HelixError } from '../contracts/error.ts';
import type { ImagePart, Message, ToolResultPart } from '../contracts/llm.ts';
import { EntryCache } from './entry-cache.ts';

/*
 * A conversation is a chain of entries, each a blob that names the one before it; its head is the hash of the last. Entries never change, so
 * a conversation is forked by going on from an earlier head, and cut by forgetting the later ones.
 */

/** An entry and its hash. Entries are shared with a cache: they must not be changed. */
export interface HashedEntry {
  hash: string;
  entry: Readonly<ConversationEntry>;
}

// Gone together with their store.
const caches = new WeakMap<BlobStore, EntryCache>();

function cacheOf(blobs: BlobStore): EntryCache {
  const known = caches.get(blobs);
  if (known) return known;
  const cache = new EntryCache();
  caches.set(blobs, cache);
  return cache;
}

/** Stores an entry and returns its hash, the new head. The same entry has the same hash. Its images are blobs of their own. */
export async function append(blobs: BlobStore, entry: ConversationEntry): Promise<string> {
  const message = await mapImages(entry.message, async (image) =>
    image.data === '' ? image : { ...image, data: '', blob: await blobs.put(Buffer.from(image.data, 'base64')) },
  );
  const text = JSON.stringify({ ...entry, message });
  const hash = await blobs.put(text);
  cacheOf(blobs).add(hash, JSON.parse(text) as ConversationEntry, text.length);
  return hash;
}

/** The entry of a hash. Throws HelixError `artifact.not-found` when it is not in the store. */
export async function loadEntry(blobs: BlobStore, hash: string): Promise<Readonly<ConversationEntry>> {
  const cache = cacheOf(blobs);
  const known = cache.get(hash);
  if (known) return known;
  const blob = await blobs.get(hash);
  if (!blob) {
    throw new HelixError('artifact.not-found', `message ${hash} of a conversation is not in the blob store`, {
      details: { hash },
    });
  }
  const entry = JSON.parse(blob.toString()) as ConversationEntry;
  cache.add(hash, entry, blob.length);
  return entry;
}

/** All entries up to a head, oldest first. Throws HelixError `artifact.not-found`. */
export async function load(blobs: BlobStore, head: string): Promise<Readonly<ConversationEntry>[]> {
  return (await ancestors(blobs, head)).map(({ entry }) => entry);
}

/** All entries up to a head with their hashes, oldest first. */
export async function ancestors(blobs: BlobStore, head: string): Promise<HashedEntry[]> {
  const found: HashedEntry[] = [];
  for (let hash: string | null = head; hash !== null;) {
    const entry: Readonly<ConversationEntry> = await loadEntry(blobs, hash);
    found.push({ hash, entry });
    hash = entry.parent;
  }
  return found.reverse();
}

/**
 * The conversation as it was at one of its messages, for undoing to it or forking there: the message is the new head, and `entry.snapshot` the
 * workspace that belongs to it. Throws HelixError `checkpoint.not-found` when the message is not in this conversation.
 */
export async function truncate(blobs: BlobStore, head: string, message: string): Promise<HashedEntry> {
  const found = (await ancestors(blobs, head)).find(({ hash }) => hash === message);
  if (found) return found;
  throw new HelixError(
    'checkpoint.not-found',
    `message ${message} is not in this conversation: name one of its messages by the hash it is listed with`,
    { details: { head, message } },
  );
}

/** What an agent said in the last message up to a head; empty when that is another's. */
export async function lastWords(blobs: BlobStore, head: string): Promise<string> {
  const { message } = await loadEntry(blobs, head);
  if (message.role !== 'assistant') return '';
  return message.content.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('');
}

/** The messages with the bytes of their images, as providers take them. Throws HelixError `artifact.not-found`. */
export async function withImages(blobs: BlobStore, messages: readonly Message[]): Promise<Message[]> {
  return await Promise.all(
    messages.map((message) =>
      mapImages(message, async (image) => {
        if (image.blob === undefined) return image;
        const { blob, ...part } = image;
        const content = await blobs.get(blob);
        if (!content) throw new HelixError('artifact.not-found', `the image ${blob} is not in the blob store any more`);
        return { ...part, data: content.toString('base64') };
      }),
    ),
  );
}

type Shown = ToolResultPart['content'];

/** A message without images comes back as it is: what is remembered of it elsewhere goes by its identity. */
async function mapImages(message: Message, map: (image: ImagePart) => Promise<ImagePart>): Promise<Message> {
  const hasImage = (content: Shown): boolean => content.some(({ type }) => type === 'image');
  const mapped = (content: Shown): Promise<Shown> =>
    Promise.all(content.map(async (part) => (part.type === 'image' ? await map(part) : part)));
  if (message.role === 'user' && hasImage(message.content))
    return { ...message, content: await mapped(message.content) };
  if (message.role !== 'tool' || !message.content.some((result) => hasImage(result.content))) return message;
  const results = message.content.map(async (result) => ({ ...result, content: await mapped(result.content) }));
  return { ...message, content: await Promise.all(results) };
}

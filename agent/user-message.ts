import type { BlobStore } from '../blobs/blob-store.ts';
import type { ConversationEntry } from '../contracts/agent.ts';
import type { Attachment } from '../contracts/attachment.ts';
import type { Message } from '../contracts/llm.ts';
import type { SnapshotId } from '../contracts/snapshot.ts';
import { attachmentParts } from './attachments.ts';
import { append, load } from './conversation.ts';

/**
 * Says something as the user at the end of a conversation; null begins one. Returns the new head. A conversation that was stopped in the middle of tool calls gets
 * answers to them first: providers refuse calls without results.
 */
export async function addUserText(
  blobs: BlobStore,
  head: string | null,
  snapshot: SnapshotId,
  text: string,
  attachments: readonly Attachment[] = [],
): Promise<string> {
  const last = head === null ? undefined : (await load(blobs, head)).at(-1);
  const calls =
    last?.message.role === 'assistant' ? last.message.content.filter((part) => part.type === 'tool-call') : [];
  const parent = calls.length > 0 ? await add(blobs, head, snapshot, interrupted(calls)) : head;
  const content = [...(await attachmentParts(blobs, attachments)), { type: 'text', text } as const];
  return await add(blobs, parent, snapshot, { role: 'user', content });
}

function interrupted(calls: { id: string; name: string }[]): Message {
  return {
    role: 'tool',
    content: calls.map(({ id, name }) => ({
      type: 'tool-result',
      callId: id,
      name,
      content: [{ type: 'text', text: 'Interrupted before it was carried out.' }],
      isError: true,
    })),
  };
}

function add(blobs: BlobStore, parent: string | null, snapshot: SnapshotId, message: Message): Promise<string> {
  const entry: ConversationEntry = { parent, message, snapshot, at: new Date().toISOString() };
  return append(blobs, entry);
}

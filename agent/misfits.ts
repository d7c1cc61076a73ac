import type { BlobStore } from '../blobs/blob-store.ts';
import { HelixError } from '../contracts/error.ts';
import type { ToolResultPart } from '../contracts/llm.ts';
import { loadEntry } from './conversation.ts';

/** So often a model may call its tools wrongly before it counts as unable to. */
export const mostMisfits = 12;

/** What a call is answered with that no tool can carry out. */
const misfitWords = /^(There is no tool "|The arguments of \S+ (are no JSON|do not fit))/;

function isMisfit({ isError, content }: ToolResultPart): boolean {
  const [first] = content;
  return isError && first?.type === 'text' && misfitWords.test(first.text);
}

/**
 * Ends a turn whose model does not learn from what it is told: it was told `mostMisfits` times in a row that none of the calls of an answer fits a
 * tool. Throws HelixError `llm.unsupported` then. `head` is the message with the results of the last calls.
 */
export async function checkMisfits(blobs: BlobStore, results: readonly ToolResultPart[], head: string): Promise<void> {
  if (results.length === 0 || !results.every(isMisfit)) return;
  let inARow = 1;
  let { parent } = await loadEntry(blobs, head);
  while (parent !== null && inARow < mostMisfits) {
    const { message, parent: next } = await loadEntry(blobs, parent);
    if (message.role === 'user' || (message.role === 'tool' && !message.content.every(isMisfit))) return;
    if (message.role === 'tool') inARow += 1;
    parent = next;
  }
  if (inARow < mostMisfits) return;
  const [last] = results.at(-1)!.content;
  throw new HelixError(
    'llm.unsupported',
    `The model called its tools wrongly ${mostMisfits} times in a row, and was told each time; the last time: ` +
      `${last?.type === 'text' ? last.text.slice(0, 300) : ''} Take another model, or one that is trained to use tools.`,
  );
}

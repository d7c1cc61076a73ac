import { append, type HashedEntry } from '../agent/conversation.ts';
import type { BlobStore } from '../blobs/blob-store.ts';
import type { ConversationEntry } from '../contracts/agent.ts';
import type { LlmRequest } from '../contracts/llm.ts';
import { splitContext } from '../llm/context/budget.ts';
import { compress } from '../llm/context/compress.ts';
import { TokenEstimator } from '../llm/context/tokens.ts';

// An estimator remembers what it has measured of each message for as long as the message lives.
const estimators = new Map<string, TokenEstimator>();

/**
 * The conversation as it fits into the model's context, as entries oldest first. One that fits is given back as it is. One that does not goes on as
 * a conversation of its own behind what stays of it: large old outputs as references to blobs, old messages as a summary.
 */
export async function fitConversation(
  blobs: BlobStore,
  entries: readonly HashedEntry[],
  request: Pick<LlmRequest, 'system' | 'tools'>,
  model: { name: string; contextTokens: number; maxOutputTokens?: number | undefined; maxTokens: number },
): Promise<readonly HashedEntry[]> {
  const estimator = estimatorOf(model.name);
  const shares = splitContext({
    contextTokens: model.contextTokens,
    ...(model.maxOutputTokens === undefined ? {} : { maxOutputTokens: model.maxOutputTokens }),
    system: estimator.text(request.system),
    tools: estimator.tools(request.tools),
    map: 0,
    answer: model.maxTokens,
  });
  const messages = entries.map(({ entry }) => entry.message);
  const keep = async (text: string): Promise<string> =>
    `the whole of it: read-output with hash "${await blobs.put(text)}"`;
  const fitted = await compress(messages, { tokens: shares.conversation }, { estimator, keep });
  if (fitted.unchanged === messages.length && fitted.messages.length === messages.length) return entries;
  const result = entries.slice(0, fitted.unchanged);
  // The snapshots of what was folded are no longer to be gone back to: what follows stands on the one of its own message.
  const gone = entries.length - fitted.messages.length;
  for (const [index, message] of fitted.messages.entries()) {
    if (index < fitted.unchanged) continue;
    const { snapshot, at } = entries[Math.max(0, index + gone)]!.entry;
    const entry: ConversationEntry = { parent: result.at(-1)?.hash ?? null, message, snapshot, at };
    result.push({ hash: await append(blobs, entry), entry });
  }
  return result;
}

/** One for all calls of a model. `provider/model`. */
export function estimatorOf(model: string): TokenEstimator {
  const known = estimators.get(model);
  if (known) return known;
  const estimator = new TokenEstimator(model);
  estimators.set(model, estimator);
  return estimator;
}

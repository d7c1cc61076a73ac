import { HelixError } from '../../contracts/error.ts';
import type { ImagePart, Message } from '../../contracts/llm.ts';
import { factsOf } from './facts.ts';
import { keepOutputs, shortenMessages, shrinkToFit } from './shorten.ts';
import type { KeepText, References } from './shorten.ts';
import { factsInSummary, summarisedMessages, summaryText, toldInSummary } from './summary.ts';
import type { TokenEstimator } from './tokens.ts';
import { imagesOf, toUnits, withoutImages } from './units.ts';
import type { Unit } from './units.ts';

export interface CompressLimits {
  /** Estimated tokens that the messages may have. */
  tokens: number;
  /** What they are brought down to once they have more, so that it is not done again with the next message. Default 60% of `tokens`. */
  target?: number;
  /** Outputs of tools above this, other than the most recent, are replaced by a reference. Default 1,000. */
  toolOutputTokens?: number;
}

export interface CompressOptions {
  estimator: TokenEstimator;
  /** Puts messages into words, in at most so many tokens: a model's call. Without it facts are extracted by rules. What it throws is thrown on. */
  summarise?: (messages: Message[], maxTokens: number) => Promise<string>;
  /** Keeps an output, so that the model can read it again. Without it the middle of a large output is lost. */
  keep?: KeepText;
}

export interface Compressed {
  messages: Message[];
  /** Estimated. */
  tokens: number;
  /** So many messages at the beginning are the very ones given: what a provider cached of them is still good. */
  unchanged: number;
  /** Messages that a summary stands for now. */
  folded: number;
  imagesDropped: number;
}

/** What images may take of the target, so that what is recent does not vanish for their sake. */
const imageShare = 2 / 3;

/** A conversation by what may happen to its parts. */
interface Parts {
  /** The first user message: the goal. It stays. */
  head: Message[];
  /** Summaries made before, which stay while they are small. */
  summaries: Message[];
  body: Unit[];
}

/**
 * Brings a conversation under a limit. Below it nothing changes. Above it, in this order: large older outputs of tools are replaced by references; the older messages are folded into a summary
 * with the user's words, decisions, open tasks, files and commands; texts of the most recent exchange are cut; images are dropped, the oldest first. Calls keep their results, the order stays,
 * and the goal and earlier summaries at the beginning stay as they are, so that only what follows leaves the provider's cache.
 *
 * Throws HelixError `llm.context-exceeded` when the limit is too small even so.
 */
export async function compress(
  messages: readonly Message[],
  limits: CompressLimits,
  options: CompressOptions,
): Promise<Compressed> {
  const { estimator } = options;
  const result = (next: readonly Message[], folded: number): Compressed => ({
    messages: [...next],
    tokens: estimator.messages(next),
    unchanged: commonPrefix(messages, next),
    folded,
    imagesDropped: imagesOf(messages).length - imagesOf(next).length,
  });
  if (estimator.messages(messages) <= limits.tokens) return result(messages, 0);

  const target = Math.min(limits.target ?? Math.floor(limits.tokens * 0.6), limits.tokens);
  const parts = divide(messages, target, estimator);
  const outputTokens = limits.toolOutputTokens ?? 1_000;
  const references = await keepOutputs(parts.body.flat(), Math.min(outputTokens, 200), estimator, options.keep);
  const body = referOld(parts.body, Math.floor(target / 2), outputTokens, estimator, references);
  const referred = [...parts.head, ...parts.summaries, ...body.flat()];
  if (estimator.messages(referred) <= target) return result(referred, 0);

  const plan = planFolding({ ...parts, body }, limits.tokens, target, estimator, references);
  const summary = plan.folded.length === 0 ? [] : [await fold(plan.folded, plan.images, plan.summaryTokens, options)];
  const next = [...plan.beginning, ...summary, ...plan.recent];
  if (estimator.messages(next) > limits.tokens) throw tooSmall(limits.tokens);
  return result(next, plan.folded.length);
}

function divide(messages: readonly Message[], target: number, estimator: TokenEstimator): Parts {
  const head = messages[0]?.role === 'user' ? messages.slice(0, 1) : [];
  const rest = messages.slice(head.length);
  const end = rest.findIndex((message) => summarisedMessages(message) === undefined);
  const summaries = rest.slice(0, end === -1 ? rest.length : end);
  // Many small summaries are folded into one before they take the place of what is recent.
  if (estimator.messages(summaries) > target / 4) return { head, summaries: [], body: toUnits(rest) };
  return { head, summaries, body: toUnits(rest.slice(summaries.length)) };
}

/** Large outputs become references, except those of the last `recentTokens`. */
function referOld(
  body: Unit[],
  recentTokens: number,
  cap: number,
  estimator: TokenEstimator,
  references: References,
): Unit[] {
  const old =
    body.length -
    Math.max(
      1,
      countRecent(body, recentTokens, (unit) => estimator.messages(unit)),
    );
  const places = new Set(['tool-result'] as const);
  return body.map((unit, index) =>
    index < old ? shortenMessages(unit, Math.floor(cap / 4), places, estimator, references) : unit,
  );
}

/** How many units at the end have together at most so many tokens. */
function countRecent(units: readonly Unit[], tokens: number, size: (unit: Unit) => number): number {
  let count = 0;
  for (let left = tokens; count < units.length; count++) {
    left -= size(units.at(-1 - count)!);
    if (left < 0) break;
  }
  return count;
}

interface FoldingPlan {
  beginning: Message[];
  folded: Message[];
  /** Of the folded messages, those that go on with the summary. */
  images: ImagePart[];
  summaryTokens: number;
  recent: Message[];
}

function planFolding(
  parts: Parts,
  limit: number,
  target: number,
  estimator: TokenEstimator,
  references: References,
): FoldingPlan {
  const { head, summaries, body } = parts;
  const headTokens = Math.floor(body.length === 0 ? limit : limit * 0.3);
  const beginning = [...fitting(head, headTokens, estimator, references, limit), ...summaries];
  const left = target - estimator.messages(beginning);
  const summaryTokens = Math.max(60, Math.min(4_000, Math.floor(left * 0.25)));

  const imageTokens = estimator.imageTokens;
  // At least one, even where the target would leave none: it goes only when it does not fit under the limit either.
  const allowedImages = Math.max(1, Math.floor((left * imageShare) / imageTokens));
  const images = imagesOf(body.flat());
  const room = left - summaryTokens - Math.min(images.length, allowedImages) * imageTokens;
  const recentUnits = Math.max(
    1,
    countRecent(body, room, (unit) => estimator.messages(unit.map(withoutImages))),
  );
  const folded = body.slice(0, -recentUnits).flat();
  const recent = body.slice(-recentUnits).flat();

  const available = limit - estimator.messages(beginning) - (folded.length === 0 ? 0 : summaryTokens + 8);
  // With fewer images step by step: texts are cut to their least before the first image goes.
  for (let count = Math.min(images.length, allowedImages); count >= 0; count--) {
    const kept = keepImages(recent, count);
    const carriedCount = count - imagesOf(kept).length;
    const carried = carriedCount === 0 ? [] : imagesOf(folded).slice(-carriedCount);
    const fitted = shrinkToFit(kept, available - carried.length * imageTokens, estimator, references);
    if (fitted) return { beginning, folded, images: carried, summaryTokens, recent: fitted };
  }
  throw tooSmall(limit);
}

/** The messages with at most so many images, the newest. */
function keepImages(messages: readonly Message[], count: number): Message[] {
  let left = count;
  return messages
    .toReversed()
    .map((message) => {
      const images = imagesOf([message]).length;
      if (images > left) return withoutImages(message);
      left -= images;
      return message;
    })
    .reverse();
}

function fitting(
  messages: Message[],
  tokens: number,
  estimator: TokenEstimator,
  references: References,
  limit: number,
): Message[] {
  const fitted =
    shrinkToFit(messages, tokens, estimator, references) ??
    shrinkToFit(messages.map(withoutImages), tokens, estimator, references);
  if (!fitted) throw tooSmall(limit);
  return fitted;
}

async function fold(
  messages: Message[],
  images: ImagePart[],
  tokens: number,
  { estimator, summarise }: CompressOptions,
): Promise<Message> {
  const earlier = messages.filter((message) => summarisedMessages(message) !== undefined);
  const plain = messages.filter((message) => !earlier.includes(message));
  const count = earlier.reduce((sum, message) => sum + summarisedMessages(message)!, plain.length);
  const facts = factsOf(plain, earlier.map(factsInSummary));
  const told = summarise
    ? await summarise(messages, Math.floor(tokens * 0.6))
    : earlier.map(toldInSummary).filter(Boolean).join('\n\n');
  return {
    role: 'user',
    content: [{ type: 'text', text: summaryText(count, facts, told, tokens, estimator) }, ...images],
  };
}

function commonPrefix(before: readonly Message[], after: readonly Message[]): number {
  const different = before.findIndex((message, index) => message !== after[index]);
  return different === -1 ? before.length : different;
}

function tooSmall(limit: number): HelixError {
  return new HelixError(
    'llm.context-exceeded',
    `the conversation cannot be brought under ${limit} tokens: its last message alone is larger. Choose a model with a larger context, or begin a new conversation.`,
    { details: { limit } },
  );
}

import { mapTexts } from './units.ts';
import type { TextPlace, Unit } from './units.ts';
import type { TokenEstimator } from './tokens.ts';
import type { Message } from '../../contracts/llm.ts';

/** Keeps a text somewhere and says how to read it again, e.g. `read it with read_output("6f1c...")`. */
export type KeepText = (text: string) => Promise<string>;

/** Sentences by text: how the whole of it can be read again. */
export type References = ReadonlyMap<string, string>;

const marker = /\[about [\d,]+ tokens left out(?:; ([^\]]*))?\]/;
const leastCap = 16;

/** Keeps the tool outputs of more than so many tokens. */
export async function keepOutputs(
  messages: readonly Message[],
  moreThan: number,
  estimator: TokenEstimator,
  keep: KeepText | undefined,
): Promise<References> {
  const references = new Map<string, string>();
  if (!keep) return references;
  const large = new Set<string>();
  for (const message of messages) {
    mapTexts(message, (text, place) => {
      if (place === 'tool-result' && !marker.test(text) && estimator.text(text) > moreThan) large.add(text);
      return text;
    });
  }
  for (const text of large) references.set(text, await keep(text));
  return references;
}

/** The messages with texts of the given places cut to `cap` tokens each: beginning and end stay, and between them how to read the whole. */
export function shortenMessages(
  messages: readonly Message[],
  cap: number,
  places: ReadonlySet<TextPlace>,
  estimator: TokenEstimator,
  references: References,
): Message[] {
  return messages.map((message) =>
    mapTexts(message, (text, place) =>
      places.has(place) ? shortenText(text, cap, estimator, references.get(text)) : text,
    ),
  );
}

/** The text itself when it is not larger. What is left has about `cap` tokens, besides the note of what was left out. */
export function shortenText(text: string, cap: number, estimator: TokenEstimator, reference?: string): string {
  const tokens = estimator.text(text);
  if (tokens <= cap + 24) return text;
  // A text that was shortened before still knows where its whole is.
  const before = marker.exec(text);
  const whole = reference ?? before?.[1];
  const leftOut = tokens - cap + (before ? Number(/[\d,]+/.exec(before[0])![0].replaceAll(',', '')) : 0);
  const note = `[about ${leftOut.toLocaleString('en-US')} tokens left out${whole ? `; ${whole}` : ''}]`;
  const kept = Math.floor((text.length * cap) / tokens);
  const head = Math.floor(kept * 0.6);
  return `${wellFormed(text.slice(0, head))}\n${note}\n${wellFormed(text.slice(text.length - (kept - head)))}`;
}

/**
 * The messages with texts cut, as little as possible, until all of them together have at most so many tokens: first the outputs of tools, then what was said, then the arguments of calls.
 * Undefined when that is not enough.
 */
export function shrinkToFit(
  messages: Unit,
  tokens: number,
  estimator: TokenEstimator,
  references: References,
): Message[] | undefined {
  if (estimator.messages(messages) <= tokens) return messages;
  const levels: TextPlace[][] = [
    ['tool-result'],
    ['tool-result', 'user', 'assistant'],
    ['tool-result', 'user', 'assistant', 'arguments'],
  ];
  for (const level of levels) {
    const places = new Set(level);
    const at = (cap: number): Message[] => shortenMessages(messages, cap, places, estimator, references);
    let best = at(leastCap);
    if (estimator.messages(best) > tokens) continue;
    for (let low = leastCap, high = tokens; high - low > Math.max(8, low / 50);) {
      const middle = Math.floor((low + high) / 2);
      const shortened = at(middle);
      if (estimator.messages(shortened) <= tokens) [best, low] = [shortened, middle];
      else high = middle;
    }
    return best;
  }
  return undefined;
}

/** Half a surrogate pair at the end of a cut becomes a replacement character, which every provider takes. */
function wellFormed(text: string): string {
  return text.toWellFormed();
}

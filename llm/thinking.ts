import type { LlmRequest, Thinking } from '../contracts/llm.ts';

export type ThinkingEffort = 'low' | 'medium' | 'high';

/**
 * Whether a request wants thinking: `yes`, `no`, or `unsaid` when it is left to the words of the last user message and they say nothing. `effort` is
 * the request's own, else that of the words; undefined when neither says.
 */
export interface ThinkingWish {
  wanted: 'yes' | 'no' | 'unsaid';
  effort?: ThinkingEffort;
}

/** What the request's settings and, in mode `auto`, the words of its last user message ask for. */
export function thinkingWish({ thinking, messages }: Pick<LlmRequest, 'thinking' | 'messages'>): ThinkingWish {
  const { mode, effort } = thinking.mode === 'auto' ? thinkingAsked(lastUserText(messages)) : thinking;
  const own = thinking.effort ?? effort;
  if (mode === 'off') return { wanted: 'no' };
  return { wanted: mode === 'on' ? 'yes' : 'unsaid', ...(own === undefined ? {} : { effort: own }) };
}

/** What a user's words ask of the model's own thinking; where they say nothing it is left to the model. */
export function thinkingAsked(text: string): Thinking {
  const words = thinkingWords(text);
  if (words === undefined) return { mode: 'model' };
  return words === 'none' ? { mode: 'off' } : { mode: 'on', effort: words };
}

/** The least that providers with budgets take. */
export const minThinkingBudget = 1024;

/**
 * Tokens to think with: what the request says, else 80% of `maxTokens`; at least 1,024 and less than `maxTokens`. Undefined when `maxTokens` leaves no room.
 */
export function thinkingBudget(wished: number | undefined, maxTokens: number): number | undefined {
  if (maxTokens <= minThinkingBudget) return undefined;
  const budget = wished ?? Math.floor(maxTokens * 0.8);
  return Math.min(Math.max(budget, minThinkingBudget), maxTokens - 1);
}

const verb = String.raw`(?:think|reason)`;
const declined = new RegExp(
  String.raw`\b(?:do not|don['’]t|without|no need to|needn['’]t|never|stop|skip)\s+(?:over)?(?:think|reason)(?:ing)?\b`,
);

/** The first that matches decides. Subjects before the verb are no requests: "I think", "what do you think". */
const levels: readonly { effort: ThinkingEffort; words: readonly RegExp[] }[] = [
  {
    effort: 'high',
    words: [
      /\bultrathink\b/,
      pattern(String.raw`${verb}\s+(?:much\s+|even\s+)?(?:harder|longer|deeper)`),
      pattern(String.raw`${verb}\s+(?:very|really|super|extremely|as)\s+(?:hard|deeply|carefully|long|thoroughly)`),
      pattern(String.raw`${verb}\s+(?:intensely|exhaustively|thoroughly)`),
    ],
  },
  {
    effort: 'medium',
    words: [
      /\bmegathink\b/,
      /\b(?:chain of thought|step[- ]by[- ]step reasoning)\b/,
      pattern(String.raw`${verb}\s+(?:hard|deeply|carefully|long|more|a lot)`),
      pattern(String.raw`${verb}\s+(?:\w+\s+){0,4}?step[- ]by[- ]step`),
      pattern(String.raw`${verb}\s+(?:it|this|that|them|everything)?\s*through`),
      pattern(String.raw`take\s+(?:your|some|the|more)\s+time\s+to\s+${verb}`),
    ],
  },
  { effort: 'low', words: [pattern('think')] },
];

/** The effort that a text asks for in words; `none` when it asks not to think. Code and quoted lines in it say nothing. */
export function thinkingWords(text: string): ThinkingEffort | 'none' | undefined {
  const prose = text
    .replace(/```[\s\S]*?(?:```|$)/g, ' ')
    .replace(/`[^`\n]*`/g, ' ')
    .replace(/^>.*$/gm, ' ')
    .toLowerCase();
  const found = levels.find(({ words }) => words.some((word) => word.test(prose)));
  return declined.test(prose) ? 'none' : found?.effort;
}

/** The words as a request: not behind a subject, and not as a part of a name like think.ts or re-think. */
function pattern(words: string): RegExp {
  const subject = String.raw`(?:\b(?:i|we|you|they|he|she|it|who|people|users|would|might|to|not|also|still)\s+|n['’]t\s+|[-./_\\])`;
  const request = words.startsWith('take') ? String.raw`\b${words}` : String.raw`(?<!${subject})\b${words}`;
  return new RegExp(String.raw`${request}\b(?![-./_\\]\w)`);
}

function lastUserText(messages: LlmRequest['messages']): string {
  const last = messages.findLast((message) => message.role === 'user');
  return (last?.content ?? []).map((part) => (part.type === 'text' ? part.text : '')).join('\n');
}

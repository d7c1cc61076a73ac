import type { Thinking } from '../../contracts/llm.ts';
import { askWithTools } from './ask-with-tools.ts';
import { isWhole } from './reasoner.ts';
import type { Reasoner, ReasoningResult } from './reasoner.ts';

/** One call with the provider's own thinking turned on. */
export async function extendedThinking<Conversation>(
  reasoner: Reasoner<Conversation>,
  start: Conversation,
  options: Omit<Thinking, 'mode'> = {},
): Promise<ReasoningResult<Conversation>> {
  const title = 'Think and answer';
  const { answer } = await askWithTools(reasoner, {
    title,
    after: start,
    thinking: { ...options, mode: 'on' },
  });
  return { ...answer, steps: [{ title }], ended: isWhole(answer) ? 'done' : 'stopped' };
}

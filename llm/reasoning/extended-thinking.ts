import type { Thinking } from '../../contracts/llm.ts';
import { askWithTools } from './ask-with-tools.ts';
import { isWhole } from './reasoner.ts';
import type { Reasoner, ReasoningResult } from './reasoner.ts';

/** Asks with the provider's own thinking turned on, in the same calls as without. */
export async function extendedThinking<Conversation>(
  reasoner: Reasoner<Conversation>,
  start: Conversation,
  options: Omit<Thinking, 'mode'> = {},
): Promise<ReasoningResult<Conversation>> {
  const { answer } = await askWithTools(reasoner, {
    title: 'Think and answer',
    after: start,
    thinking: { ...options, mode: 'on' },
  });
  return { ...answer, ended: isWhole(answer) ? 'done' : 'stopped' };
}

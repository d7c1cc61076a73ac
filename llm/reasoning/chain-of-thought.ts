import { askWithTools } from './ask-with-tools.ts';
import { isWhole } from './reasoner.ts';
import type { Reasoner, ReasoningResult } from './reasoner.ts';

const think =
  'Before you answer, think the request above through, step by step: what is known, what follows from it, what could be wrong. ' +
  'Write down the steps of your thought only; the answer comes after.';
const answerNow = 'Now give the answer that follows from these steps, complete in itself.';

/** Has the model write down its steps first, then answer from them. Two calls; tools are left to the second. */
export async function chainOfThought<Conversation>(
  reasoner: Reasoner<Conversation>,
  start: Conversation,
): Promise<ReasoningResult<Conversation>> {
  const thought = await reasoner.ask({ title: 'Think step by step', after: start, say: think, tools: false });
  const steps = [{ title: 'Think step by step' }];
  if (!isWhole(thought)) return { ...thought, steps, ended: 'stopped' };
  const { answer } = await askWithTools(reasoner, {
    title: 'Answer from the steps',
    after: thought.after,
    say: answerNow,
  });
  return {
    ...answer,
    steps: [...steps, { title: 'Answer from the steps' }],
    ended: isWhole(answer) ? 'done' : 'stopped',
  };
}

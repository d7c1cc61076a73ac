import { askWithTools } from './ask-with-tools.ts';
import { isWhole, outcomeOf } from './reasoner.ts';
import type { Reasoner, ReasoningResult } from './reasoner.ts';

const think =
  'Before you answer, think the request above through, step by step: what is known, what follows from it, what could be wrong. ' +
  'Write down the steps of your thought only; the answer comes after.';
const answerNow = 'Now carry out what follows from these steps, and give the answer, complete in itself.';

/** Has the model write down its steps first, then answer from them. Two calls; tools are left to the second. */
export async function chainOfThought<Conversation>(
  reasoner: Reasoner<Conversation>,
  start: Conversation,
): Promise<ReasoningResult<Conversation>> {
  const thinking = 'Think step by step';
  const thought = await reasoner.ask({ title: thinking, after: start, say: think, tools: false });
  await reasoner.did?.({ title: thinking, outcome: outcomeOf(thought) });
  if (!isWhole(thought)) return { ...thought, ended: 'stopped' };
  const title = 'Answer from the steps';
  const { answer } = await askWithTools(reasoner, { title, after: thought.after, say: answerNow });
  await reasoner.did?.({ title, outcome: outcomeOf(answer) });
  return { ...answer, ended: isWhole(answer) ? 'done' : 'stopped' };
}

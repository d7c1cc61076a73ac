import type { ReasoningLimits } from '../../contracts/reasoning.ts';
import { askWithTools } from './ask-with-tools.ts';
import { isWhole, outcomeOf } from './reasoner.ts';
import type { Reasoner, ReasoningAnswer, ReasoningResult } from './reasoner.ts';

const begin =
  'Work on the request in rounds. First say in a few sentences what you know, what you take for granted and what you have to find out; ' +
  'then use the tools to find out just that.';
const refine =
  'Refine: what do the results confirm, what do they refute, what is still open? Say so in a few sentences, then use the tools for what is still open. ' +
  'When nothing is, give the complete answer without calling a tool.';
const conclude = 'No more tools now. Give the best complete answer from what is known, and say what remains uncertain.';
const carryOut =
  'The rounds are used up. Carry out what remains of the request, then give the complete answer, and say what remains uncertain.';

/**
 * Thinks, looks with tools, refines, in rounds until the model answers without having called a tool since it last refined. When the rounds are used up it is made to
 * come to an end.
 */
export async function progressiveReasoning<Conversation>(
  reasoner: Reasoner<Conversation>,
  start: Conversation,
  { rounds = 4, callsPerRound = 8 }: Pick<ReasoningLimits, 'rounds' | 'callsPerRound'> = {},
): Promise<ReasoningResult<Conversation>> {
  let after = start;
  for (let round = 1; round <= rounds; round++) {
    const title = round === 1 ? 'Think and look' : `Refine ${round - 1}`;
    const { answer, calls } = await askWithTools(
      reasoner,
      { title, after, say: round === 1 ? begin : refine },
      callsPerRound,
    );
    await reasoner.did?.({ title, outcome: isWhole(answer) ? toolsUsed(calls) : outcomeOf(answer) });
    if (!isWhole(answer)) return { ...answer, ended: 'stopped' };
    // The first round without tools may still be the plan of what to do: it is refined once.
    if (calls === 0 && round > 1) return { ...answer, ended: 'done' };
    after = answer.after;
  }
  const title = reasoner.carriesOut ? 'Carry out what remains' : 'Answer from what is known';
  const answer = await end(reasoner, title, after);
  await reasoner.did?.({ title, outcome: outcomeOf(answer) });
  return { ...answer, ended: isWhole(answer) ? 'limit' : 'stopped' };
}

async function end<Conversation>(
  reasoner: Reasoner<Conversation>,
  title: string,
  after: Conversation,
): Promise<ReasoningAnswer<Conversation>> {
  if (!reasoner.carriesOut) return await reasoner.ask({ title, after, say: conclude, tools: false });
  return (await askWithTools(reasoner, { title, after, say: carryOut })).answer;
}

export function toolsUsed(calls: number): string {
  if (calls === 0) return 'nothing more to look at';
  return `tools used ${calls === 1 ? 'once' : `${calls} times`}`;
}

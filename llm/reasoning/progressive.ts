import { askWithTools } from './ask-with-tools.ts';
import { isWhole } from './reasoner.ts';
import type { Reasoner, ReasoningRecord, ReasoningResult } from './reasoner.ts';

export interface ProgressiveOptions {
  /** Rounds of thinking and looking at most. */
  rounds: number;
  /** Calls in a row with tools within one round. */
  callsPerRound: number;
}

const defaults: ProgressiveOptions = { rounds: 4, callsPerRound: 8 };

const begin =
  'Work on the request in rounds. First say in a few sentences what you know, what you take for granted and what you have to find out; ' +
  'then use the tools to find out just that.';
const refine =
  'Refine: what do the results confirm, what do they refute, what is still open? Say so in a few sentences, then use the tools for what is still open. ' +
  'When nothing is, give the complete answer without calling a tool.';
const conclude = 'No more tools now. Give the best complete answer from what is known, and say what remains uncertain.';

/**
 * Thinks, looks with tools, refines, in rounds until the model answers without having called a tool since it last refined. When the rounds are used up it is made to answer.
 */
export async function progressiveReasoning<Conversation>(
  reasoner: Reasoner<Conversation>,
  start: Conversation,
  given: Partial<ProgressiveOptions> = {},
): Promise<ReasoningResult<Conversation>> {
  const { rounds, callsPerRound } = { ...defaults, ...given };
  const steps: ReasoningRecord[] = [];
  let after = start;
  for (let round = 1; round <= rounds; round++) {
    const title = round === 1 ? 'Think and look' : `Refine ${round - 1}`;
    const { answer, calls } = await askWithTools(
      reasoner,
      { title, after, say: round === 1 ? begin : refine },
      callsPerRound,
    );
    steps.push({
      title,
      outcome: calls === 0 ? 'nothing more to look at' : `tools used ${calls === 1 ? 'once' : `${calls} times`}`,
    });
    if (!isWhole(answer)) return { ...answer, steps, ended: 'stopped' };
    // The first round without tools may still be the plan of what to do: it is refined once.
    if (calls === 0 && round > 1) return { ...answer, steps, ended: 'done' };
    after = answer.after;
  }
  const title = 'Answer from what is known';
  const answer = await reasoner.ask({ title, after, say: conclude, tools: false });
  return { ...answer, steps: [...steps, { title }], ended: isWhole(answer) ? 'limit' : 'stopped' };
}

import type { ReasoningLimits } from '../../contracts/reasoning.ts';
import { askWithTools } from './ask-with-tools.ts';
import { toolsUsed } from './progressive.ts';
import { isWhole, outcomeOf } from './reasoner.ts';
import type { Reasoner, ReasoningAnswer, ReasoningResult } from './reasoner.ts';
import { askForVerdict } from './verdict.ts';

export type TreeOptions = Required<Pick<ReasoningLimits, 'branches' | 'keep' | 'depth' | 'goodEnough'>>;

interface Thought<Conversation> {
  /** `2.1`: the first thought after the second. */
  path: string;
  after: Conversation;
  score: number;
}

const scoreSchema = {
  type: 'object',
  properties: { score: { type: 'number' }, reason: { type: 'string' } },
  required: ['score', 'reason'],
  additionalProperties: false,
};

const lookPrompt =
  'Several approaches to the request will be compared. Do not answer yet and change nothing: use the tools to find out what every approach has to know, ' +
  'then say in a few sentences what you found.';

/**
 * Looks around with the tools, tries several approaches, has each scored from 0 to 10, goes on from the best to the next level and carries out the best of the last.
 * Branches of a level are asked at once. At most `mostTreeCalls` calls, without those after tools (one more per verdict that cannot be read; such a thought scores 0).
 */
export async function treeOfThoughts<Conversation>(
  reasoner: Reasoner<Conversation>,
  start: Conversation,
  options: TreeOptions,
): Promise<ReasoningResult<Conversation>> {
  let kept: Thought<Conversation>[] = [{ path: '', after: start, score: 0 }];
  if (reasoner.useTools) {
    const title = 'Look around';
    const { answer, calls } = await askWithTools(reasoner, { title, after: start, say: lookPrompt });
    await reasoner.did?.({ title, outcome: isWhole(answer) ? toolsUsed(calls) : outcomeOf(answer) });
    if (!isWhole(answer)) return { ...answer, ended: 'stopped' };
    kept = [{ path: '', after: answer.after, score: 0 }];
  }
  let best: Thought<Conversation> | undefined;
  let stopped: ReasoningAnswer<Conversation> | undefined;

  for (let level = 1; level <= options.depth; level++) {
    const atOnce = kept.length * options.branches;
    const grown = await allOf(
      kept.flatMap((thought) =>
        Array.from({ length: options.branches }, (_, index) =>
          grow(reasoner, thought, { number: index + 1, of: options.branches, atOnce }),
        ),
      ),
    );
    stopped = grown.find((one): one is ReasoningAnswer<Conversation> => 'stopReason' in one) ?? stopped;
    const thoughts = grown.filter((one): one is Thought<Conversation> => 'score' in one);
    if (thoughts.length === 0) break;
    // Stable: of equals the one that was thought of first.
    kept = thoughts.sort((a, b) => b.score - a.score).slice(0, options.keep);
    best = kept[0]!;
    if (best.score >= options.goodEnough) break;
  }

  if (!best) return { ...stopped!, after: kept[0]!.after, ended: 'stopped' };
  const title = `Answer from approach ${best.path}`;
  const { answer } = await askWithTools(reasoner, {
    title,
    after: best.after,
    say: 'Of the approaches considered this one is taken. Carry it out and give the complete answer to the request.',
  });
  await reasoner.did?.({ title, outcome: outcomeOf(answer) });
  return { ...answer, ended: isWhole(answer) ? 'done' : 'stopped' };
}

/** How many calls a tree can take, without those after tools. */
export function mostTreeCalls({ branches, keep, depth }: TreeOptions, tools: boolean): number {
  return (tools ? 2 : 1) + 2 * branches * (1 + (depth - 1) * Math.min(keep, branches));
}

/** One more thought and its score; the answer itself when it was no whole one. */
async function grow<Conversation>(
  reasoner: Reasoner<Conversation>,
  parent: Thought<Conversation>,
  { number, of, atOnce }: { number: number; of: number; atOnce: number },
): Promise<Thought<Conversation> | ReasoningAnswer<Conversation>> {
  const path = parent.path === '' ? `${number}` : `${parent.path}.${number}`;
  const title = `Approach ${path}`;
  const thought = await reasoner.ask({
    title,
    after: parent.after,
    say: approachPrompt(parent.path !== '', number, of),
    tools: false,
    aside: true,
    atOnce,
    temperature: 0.8,
  });
  if (!isWhole(thought)) {
    await reasoner.did?.({ title, outcome: outcomeOf(thought) });
    return thought;
  }
  const { verdict } = await askForVerdict(
    reasoner,
    {
      title: `Score approach ${path}`,
      after: thought.after,
      say: judgePrompt,
      atOnce,
      temperature: 0,
      responseSchema: scoreSchema,
    },
    ({ score, reason }) =>
      typeof score === 'number' && score >= 0 && score <= 10
        ? { score, reason: typeof reason === 'string' ? reason : '' }
        : undefined,
  );
  const { score, reason } = verdict ?? { score: 0, reason: 'the judge gave no score' };
  await reasoner.did?.({ title, outcome: `score ${score} of 10${reason ? `: ${reason}` : ''}` });
  return { path, after: thought.after, score };
}

/** Like `Promise.all`, but a failure waits until all have ended: what runs is never left behind. */
async function allOf<T>(promises: Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return await Promise.all(promises);
}

// Branches do not see each other: the number is what keeps them apart.
function approachPrompt(deeper: boolean, number: number, of: number): string {
  const what = deeper
    ? 'Take the approach above one step further: make its next decision and work it out.'
    : 'Do not answer yet. Describe one approach to the request: its main decisions, its steps, its risks.';
  const which =
    number === 1
      ? 'the one that comes to mind first'
      : `the ${ordinal(number)} that comes to mind, different in kind from those before`;
  return `${what} ${of} are explored independently; yours is number ${number}: ${which}.`;
}

const judgePrompt =
  'Judge the approach you have just described as a strict reviewer who did not write it: does it meet the request, is it correct, simple and low in risk? ' +
  'Answer with a JSON object alone: {"score": a number from 0 (useless) to 10 (cannot be better), "reason": one short sentence}.';

function ordinal(number: number): string {
  return ['first', 'second', 'third', 'fourth', 'fifth'][number - 1] ?? `${number}th`;
}

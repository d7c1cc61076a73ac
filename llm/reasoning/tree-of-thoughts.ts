import { askWithTools } from './ask-with-tools.ts';
import { isWhole } from './reasoner.ts';
import type { Reasoner, ReasoningAnswer, ReasoningRecord, ReasoningResult } from './reasoner.ts';
import { askForVerdict } from './verdict.ts';

export interface TreeOptions {
  /** Thoughts tried after each that was kept. */
  branches: number;
  /** Thoughts kept at each level. */
  keep: number;
  /** Levels. */
  depth: number;
  /** Of 10: a thought with this score is gone on with alone. */
  goodEnough: number;
}

interface Thought<Conversation> {
  /** `2.1`: the first thought after the second. */
  path: string;
  after: Conversation;
  score: number;
  reason: string;
}

const defaults: TreeOptions = { branches: 3, keep: 2, depth: 2, goodEnough: 9 };
const scoreSchema = {
  type: 'object',
  properties: { score: { type: 'number' }, reason: { type: 'string' } },
  required: ['score', 'reason'],
  additionalProperties: false,
};

/**
 * Tries several approaches, has each scored from 0 to 10, goes on from the best to the next level and answers after the best of the last. Branches of a level are asked
 * at once. At most `keep * branches * 2 * depth + 1` calls (one more per verdict that cannot be read; such a thought scores 0).
 */
export async function treeOfThoughts<Conversation>(
  reasoner: Reasoner<Conversation>,
  start: Conversation,
  given: Partial<TreeOptions> = {},
): Promise<ReasoningResult<Conversation>> {
  const options = { ...defaults, ...given };
  const steps: ReasoningRecord[] = [];
  let kept: Thought<Conversation>[] = [{ path: '', after: start, score: 0, reason: '' }];
  let best: Thought<Conversation> | undefined;
  let stopped: ReasoningAnswer<Conversation> | undefined;

  for (let level = 1; level <= options.depth; level++) {
    const grown = await Promise.all(
      kept.flatMap((thought) =>
        Array.from({ length: options.branches }, (_, index) => grow(reasoner, thought, index + 1, options.branches)),
      ),
    );
    stopped = grown.find((one): one is ReasoningAnswer<Conversation> => 'stopReason' in one) ?? stopped;
    const thoughts = grown.filter((one): one is Thought<Conversation> => 'score' in one);
    for (const thought of thoughts) {
      steps.push({ title: `Approach ${thought.path}`, outcome: `score ${thought.score} of 10: ${thought.reason}` });
    }
    if (thoughts.length === 0) break;
    // Stable: of equals the one that was thought of first.
    kept = thoughts.sort((a, b) => b.score - a.score).slice(0, options.keep);
    best = kept[0]!;
    if (best.score >= options.goodEnough) break;
  }

  if (!best) return { ...stopped!, steps, ended: 'stopped' };
  const title = `Answer from approach ${best.path}`;
  const { answer } = await askWithTools(reasoner, {
    title,
    after: best.after,
    say: 'Of the approaches considered this one is taken. Carry it out and give the complete answer to the request.',
  });
  return { ...answer, steps: [...steps, { title }], ended: isWhole(answer) ? 'done' : 'stopped' };
}

/** One more thought and its score; the answer itself when it was no whole one. */
async function grow<Conversation>(
  reasoner: Reasoner<Conversation>,
  parent: Thought<Conversation>,
  number: number,
  of: number,
): Promise<Thought<Conversation> | ReasoningAnswer<Conversation>> {
  const path = parent.path === '' ? `${number}` : `${parent.path}.${number}`;
  const thought = await reasoner.ask({
    title: `Approach ${path}`,
    after: parent.after,
    say: approachPrompt(parent.path !== '', number, of),
    tools: false,
    temperature: 0.8,
  });
  if (!isWhole(thought)) return thought;
  const { verdict } = await askForVerdict(
    reasoner,
    {
      title: `Score approach ${path}`,
      after: thought.after,
      say: judgePrompt,
      temperature: 0,
      responseSchema: scoreSchema,
    },
    ({ score, reason }) =>
      typeof score === 'number' && score >= 0 && score <= 10
        ? { score, reason: typeof reason === 'string' ? reason : '' }
        : undefined,
  );
  return { path, after: thought.after, ...(verdict ?? { score: 0, reason: 'the judge gave no score' }) };
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

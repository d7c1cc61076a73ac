import { isWhole } from './reasoner.ts';
import type { Reasoner, ReasoningRecord, ReasoningResult } from './reasoner.ts';
import { askForVerdict } from './verdict.ts';

export interface ReflectionOptions {
  /** Revisions at most. */
  revisions: number;
}

const critiqueSchema = {
  type: 'object',
  properties: { accepted: { type: 'boolean' }, problems: { type: 'array', items: { type: 'string' } } },
  required: ['accepted', 'problems'],
  additionalProperties: false,
};

const critiquePrompt =
  'Review the answer above as a strict reviewer who did not write it: what is wrong, missing, unproven or more complicated than needed, measured by the request? ' +
  'Accept it only when nothing has to be changed. Answer with a JSON object alone: {"accepted": true or false, "problems": [one sentence each]}.';

/**
 * Drafts, has the draft criticised and revises it, until it is accepted or the revisions are used up. The result is the last draft; its conversation does not have the last
 * critique in it. A critique that cannot be read accepts nothing and revises nothing: the draft is handed on as `limit`.
 */
export async function selfReflection<Conversation>(
  reasoner: Reasoner<Conversation>,
  start: Conversation,
  { revisions }: ReflectionOptions = { revisions: 2 },
): Promise<ReasoningResult<Conversation>> {
  const steps: ReasoningRecord[] = [{ title: 'Draft' }];
  let draft = await reasoner.ask({ title: 'Draft', after: start, tools: false });
  for (let round = 1; isWhole(draft); round++) {
    const title = `Critique ${round}`;
    const { answer, verdict } = await askForVerdict(
      reasoner,
      { title, after: draft.after, say: critiquePrompt, responseSchema: critiqueSchema },
      ({ accepted, problems }) =>
        typeof accepted === 'boolean'
          ? { accepted, problems: Array.isArray(problems) ? problems.length : 0 }
          : undefined,
    );
    if (!verdict) {
      steps.push({ title, outcome: 'could not be read' });
      return { ...draft, steps, ended: 'limit' };
    }
    steps.push({ title, outcome: verdict.accepted ? 'accepted' : `problems found: ${verdict.problems}` });
    if (verdict.accepted) return { ...draft, steps, ended: 'done' };
    if (round > revisions) return { ...draft, steps, ended: 'limit' };
    const revision = `Revision ${round}`;
    draft = await reasoner.ask({
      title: revision,
      after: answer.after,
      say: 'Now give the whole answer to the request again, with these problems mended. Do not mention the review.',
      tools: false,
    });
    steps.push({ title: revision });
  }
  return { ...draft, steps, ended: 'stopped' };
}

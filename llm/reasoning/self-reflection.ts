import { askWithTools } from './ask-with-tools.ts';
import { isWhole, outcomeOf } from './reasoner.ts';
import type { Reasoner, ReasoningResult } from './reasoner.ts';
import { askForVerdict } from './verdict.ts';

const critiqueSchema = {
  type: 'object',
  properties: { accepted: { type: 'boolean' }, problems: { type: 'array', items: { type: 'string' } } },
  required: ['accepted', 'problems'],
  additionalProperties: false,
};

const critiquePrompt =
  'Review the answer above, and what was done for it, as a strict reviewer who did not write it: what is wrong, missing, unproven or more complicated than needed, ' +
  'measured by the request? Accept it only when nothing has to be changed. ' +
  'Answer with a JSON object alone: {"accepted": true or false, "problems": [one sentence each]}.';

/**
 * Drafts with the tools, has the draft criticised and revises it, until it is accepted or the revisions are used up. The result is the last draft; its conversation does
 * not have the last critique in it. A critique that cannot be read accepts nothing and revises nothing: the draft is handed on as `limit`.
 */
export async function selfReflection<Conversation>(
  reasoner: Reasoner<Conversation>,
  start: Conversation,
  { revisions = 2 }: { revisions?: number | undefined } = {},
): Promise<ReasoningResult<Conversation>> {
  const did = async (title: string, outcome: string): Promise<void> => reasoner.did?.({ title, outcome });
  let draft = (await askWithTools(reasoner, { title: 'Draft', after: start })).answer;
  await did('Draft', outcomeOf(draft));
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
      await did(title, 'could not be read');
      return { ...draft, ended: 'limit' };
    }
    await did(title, verdict.accepted ? 'accepted' : `problems found: ${verdict.problems}`);
    if (verdict.accepted) return { ...draft, ended: 'done' };
    if (round > revisions) return { ...draft, ended: 'limit' };
    const revision = `Revision ${round}`;
    draft = (
      await askWithTools(reasoner, {
        title: revision,
        after: answer.after,
        say: 'Now mend these problems, and give the whole answer to the request again. Do not mention the review.',
      })
    ).answer;
    await did(revision, outcomeOf(draft));
  }
  return { ...draft, ended: 'stopped' };
}

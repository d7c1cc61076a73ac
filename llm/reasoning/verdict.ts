import type { JsonValue } from '../../contracts/llm.ts';
import { isWhole } from './reasoner.ts';
import type { ReasoningAnswer, Reasoner, ReasoningStep } from './reasoner.ts';

/** What a judge says, read from JSON in its answer. */
export type VerdictReader<Verdict> = (json: { [key: string]: JsonValue }) => Verdict | undefined;

/**
 * Asks for a verdict in JSON, once more when the answer cannot be read; undefined when the second cannot be read either.
 */
export async function askForVerdict<Conversation, Verdict>(
  reasoner: Reasoner<Conversation>,
  step: Omit<ReasoningStep<Conversation>, 'tools' | 'aside'>,
  read: VerdictReader<Verdict>,
): Promise<{ answer: ReasoningAnswer<Conversation>; verdict: Verdict | undefined }> {
  const answer = await reasoner.ask({ ...step, tools: false, aside: true });
  const verdict = readVerdict(answer.text, read);
  if (verdict !== undefined || !isWhole(answer)) return { answer, verdict };
  const again = await reasoner.ask({
    ...step,
    title: `${step.title}, again`,
    after: answer.after,
    say: 'That could not be read. Answer with the JSON object alone, in the form that was asked for.',
    tools: false,
    aside: true,
  });
  return { answer: again, verdict: readVerdict(again.text, read) };
}

/** Reads the last JSON object in a text, be it alone, in a code fence or among words. */
function readVerdict<Verdict>(text: string, read: VerdictReader<Verdict>): Verdict | undefined {
  const end = text.lastIndexOf('}');
  // From the outermost brace inwards; few texts have more than a handful.
  for (let start = text.indexOf('{'), tries = 0; start !== -1 && start < end && tries < 50; tries++) {
    const json = parseObject(text.slice(start, end + 1));
    const verdict = json && read(json);
    if (verdict !== undefined) return verdict;
    start = text.indexOf('{', start + 1);
  }
  return undefined;
}

function parseObject(text: string): { [key: string]: JsonValue } | undefined {
  try {
    const value = JSON.parse(text) as JsonValue;
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

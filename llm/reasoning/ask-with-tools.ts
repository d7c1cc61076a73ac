import type { Reasoner, ReasoningAnswer, ReasoningStep } from './reasoner.ts';

/**
 * Asks, and answers the tool calls of each answer, until the model answers without any. After `limit` answers with calls it has to answer without tools, so that
 * a conversation never ends in calls that nobody answers.
 */
export async function askWithTools<Conversation>(
  reasoner: Reasoner<Conversation>,
  step: Omit<ReasoningStep<Conversation>, 'tools'>,
  limit: number = reasoner.maxToolCalls ?? 50,
): Promise<{ answer: ReasoningAnswer<Conversation>; calls: number }> {
  const { say, ...more } = step;
  const tools = reasoner.useTools !== undefined && limit > 0;
  let answer = await reasoner.ask({ ...more, ...(say === undefined ? {} : { say }), tools });
  let calls = 0;
  while (answer.stopReason === 'tool-calls' && reasoner.useTools && calls < limit) {
    calls += 1;
    const after = await reasoner.useTools(step.title, answer);
    answer = await reasoner.ask({ ...more, title: `${step.title}, after tools`, after, tools: calls < limit });
  }
  return { answer, calls };
}

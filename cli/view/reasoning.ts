import type { HelixClient } from '../../client/client.ts';
import type { JobEventData } from '../../contracts/event.ts';
import { cleanLine } from '../text/clean.ts';
import { table } from '../text/table.ts';

export type ReasoningEvent = Extract<JobEventData, { type: 'reasoning.chosen' | 'reasoning.step' }>;

/** What the agents of a job have thought about, in its order. */
export async function readReasoning(client: HelixClient, jobId: string): Promise<ReasoningEvent[]> {
  const found: ReasoningEvent[] = [];
  const limit = 1_000;
  for (let after = 0; ;) {
    const page = await client.readEvents(jobId, { after, limit, types: ['reasoning.chosen', 'reasoning.step'] });
    for (const { data } of page)
      if (data.type === 'reasoning.chosen' || data.type === 'reasoning.step') found.push(data);
    if (page.length < limit) return found;
    after = page.at(-1)!.seq;
  }
}

export function describeReasoning(events: readonly ReasoningEvent[]): string {
  return table(
    ['REASONING', 'STEP', 'OUTCOME'],
    events.map((event) =>
      event.type === 'reasoning.chosen'
        ? [cleanLine(event.title), event.strategy, cleanLine(event.reason)]
        : [cleanLine(event.title), `  ${cleanLine(event.step)}`, cleanLine(event.outcome)],
    ),
  );
}

import { z } from 'zod';
import { defineTool, text } from './tool.ts';

export const planTool = defineTool({
  name: 'plan',
  description:
    'Writes down what you have to do, for yourself and for those who watch. Give the whole list each time; have one item in state "doing". For work of three steps or more.',
  parameters: z.strictObject({
    items: z
      .array(z.strictObject({ text: z.string().min(1).max(500), state: z.enum(['open', 'doing', 'done']) }))
      .max(100),
  }),
  accesses: () => [{ kind: 'ask' }],
  summary: ({ items }) => `plan: ${items.filter(({ state }) => state === 'done').length} of ${items.length} done`,
  async execute({ items }) {
    const left = items.filter(({ state }) => state !== 'done').length;
    return text(left === 0 ? 'Noted: all is done.' : `Noted: ${left} of ${items.length} left.`, { plan: items });
  },
});

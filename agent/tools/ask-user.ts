import { z } from 'zod';
import { defineTool } from './tool.ts';

export const askUserTool = defineTool({
  name: 'ask-user',
  description:
    'Asks the user, and waits for the answer, which may take days. Only for what cannot be found out and matters: a choice between things the user would see differently, or something only the user knows.',
  parameters: z.strictObject({
    question: z.string().min(1).max(4_000),
    choices: z
      .array(z.string().min(1).max(500))
      .max(10)
      .optional()
      .describe('Answers to choose from; others are possible'),
  }),
  accesses: () => [{ kind: 'ask' }],
  summary: ({ question }) => `ask ${question}`,
  async execute({ question, choices = [] }) {
    return { pending: { type: 'question', question, choices } };
  },
  async resume(_args, outcome) {
    if (outcome.type !== 'question') throw new TypeError(`a question ended in a ${outcome.type}`);
    return { content: [{ type: 'text', text: outcome.answer }] };
  },
});

import { z } from 'zod';
import { defineTool } from './tool.ts';

export const delegateTool = defineTool({
  name: 'delegate',
  description:
    'Gives a part of the work to another agent, which works on the same workspace with the same permissions and knows nothing of this conversation, and waits for its answer. Say in the prompt all that it needs: the goal, the files, what is known, and what to answer.',
  parameters: z.strictObject({
    title: z.string().min(1).max(200).describe('One line for people'),
    prompt: z.string().min(1).max(50_000),
  }),
  accesses: () => [{ kind: 'ask' }],
  summary: ({ title }) => `delegate ${title}`,
  async execute({ title, prompt }) {
    return { pending: { type: 'delegate', title, prompt } };
  },
  async resume(_args, outcome) {
    if (outcome.type !== 'delegate') throw new TypeError(`a delegation ended in a ${outcome.type}`);
    const { succeeded, answer, snapshot } = outcome;
    const content = succeeded ? answer : `The other agent did not succeed: ${answer}`;
    return {
      content: [{ type: 'text', text: content }],
      isError: !succeeded,
      snapshot,
      note: succeeded ? 'done' : 'failed',
    };
  },
});

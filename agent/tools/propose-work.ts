import { z } from 'zod';
import { HelixError } from '../../contracts/error.ts';
import { mostWorkItems, type WorkItem, workItemSchema } from '../../contracts/plan.ts';
import { workspacePath } from '../paths.ts';
import { defineTool, text } from './tool.ts';

export const proposeWorkTool = defineTool({
  name: 'propose-work',
  description: `Divides the work among agents that do it at the same time, each on a copy of the workspace; what they made is put together in the order of the list. For work with parts that stand by themselves, ${mostWorkItems} items at most; leave it out where one agent does better. Each agent knows your plan and its own prompt, and nothing else of this conversation. Two items that change the same lines collide: give the shared part to one, and let the other need it. Called again, the new list takes the place of the old one; an empty list takes it back.`,
  parameters: z.strictObject({
    items: z.array(
      workItemSchema.extend({
        id: workItemSchema.shape.id.describe('A short name, e.g. "parser"'),
        title: workItemSchema.shape.title.describe('One line for people'),
        prompt: workItemSchema.shape.prompt.describe(
          'What to change and how, what others may rely on (names, signatures), and how to verify it',
        ),
        files: workItemSchema.shape.files.describe('Paths it will change or make'),
        needs: workItemSchema.shape.needs.describe('Ids of items that have to be done before; their work is there'),
      }),
    ),
  }),
  accesses: () => [{ kind: 'ask' }],
  summary: ({ items }) => `propose work: ${items.map(({ id }) => id).join(', ') || 'for one agent'}`,
  async execute({ items }, { blobs }) {
    const problems = problemsOf(items);
    if (problems.length > 0) throw new HelixError('usage.invalid', `Nothing was noted: ${problems.join('; ')}.`);
    const told = [
      items.length < 2 ? 'Noted: one agent does it all.' : `Noted: ${items.length} items.`,
      ...sharedFiles(items),
    ];
    return text(told.join('\n'), { work: await blobs.put(JSON.stringify(items)) });
  },
});

/** What makes a list of items impossible to carry out, for the model. */
export function problemsOf(items: readonly WorkItem[]): string[] {
  const ids = items.map(({ id }) => id);
  const problems = new Set<string>();
  if (items.length > mostWorkItems) problems.add(`${items.length} items are too many: ${mostWorkItems} at most`);
  for (const id of ids)
    if (ids.filter((other) => other === id).length > 1) problems.add(`two items have the id "${id}"`);
  for (const { id, needs, files } of items) {
    for (const need of needs.filter((other) => !ids.includes(other)))
      problems.add(`"${id}" needs "${need}", and there is no such item`);
    for (const path of files.filter((file) => workspacePath(file) === undefined))
      problems.add(`"${id}" names ${JSON.stringify(path)}, which is outside the workspace`);
  }
  const circle = circleIn(items);
  if (circle) problems.add(`items need each other in a circle: ${circle.join(' needs ')}`);
  return [...problems];
}

/** The ids of a circle of needs, the first again at the end. */
function circleIn(items: readonly WorkItem[]): string[] | undefined {
  const needs = new Map(items.map((item) => [item.id, item.needs]));
  const clear = new Set<string>();
  const visit = (id: string, path: string[]): string[] | undefined => {
    if (path.includes(id)) return [...path.slice(path.indexOf(id)), id];
    if (clear.has(id)) return undefined;
    for (const need of needs.get(id) ?? []) {
      const circle = visit(need, [...path, id]);
      if (circle) return circle;
    }
    clear.add(id);
    return undefined;
  };
  for (const { id } of items) {
    const circle = visit(id, []);
    if (circle) return circle;
  }
  return undefined;
}

/** Where items that run at once name the same file: it may go well, and the model should know. */
function sharedFiles(items: readonly WorkItem[]): string[] {
  const earlier = new Map(items.map(({ id }) => [id, allNeeds(items, id)]));
  return items.flatMap((item, index) =>
    items.slice(index + 1).flatMap((other) => {
      if (earlier.get(item.id)!.has(other.id) || earlier.get(other.id)!.has(item.id)) return [];
      const shared = item.files.filter((file) => other.files.includes(file));
      if (shared.length === 0) return [];
      return [`"${item.id}" and "${other.id}" run at once and both change ${shared.join(', ')}.`];
    }),
  );
}

function allNeeds(items: readonly WorkItem[], id: string, found = new Set<string>()): Set<string> {
  for (const need of items.find((item) => item.id === id)?.needs ?? []) {
    if (found.has(need)) continue;
    found.add(need);
    allNeeds(items, need, found);
  }
  return found;
}

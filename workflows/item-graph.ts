import type { WorkItem, WorkItemState, WorkItemView } from '../contracts/plan.ts';

/**
 * The work items of a plan: what each starts from, and how far each is. Plain and without Temporal.
 *
 * What the items made is put together one after the other, in an order that follows from the plan alone, so that the same work gives the same
 * files whoever was first. Items that others need come first, then those at the end of a chain, both in the plan's order: nobody waits for an item that
 * nobody needs.
 */
export class ItemGraph {
  /** Every item comes after those it needs. */
  readonly order: readonly WorkItem[];
  private readonly items: readonly WorkItem[];
  private readonly states = new Map<string, Pick<WorkItemView, 'state' | 'message'>>();

  /** Needs that name no item, or go in a circle, are not met by waiting: the list has to be checked before. */
  constructor(items: readonly WorkItem[]) {
    this.items = items;
    const needed = new Set(items.flatMap(({ needs }) => needs));
    const order = new Set<WorkItem>();
    const take = (item: WorkItem): void => {
      for (const need of item.needs) take(items.find(({ id }) => id === need)!);
      order.add(item);
    };
    for (const item of items) if (needed.has(item.id)) take(item);
    for (const item of items) take(item);
    this.order = [...order];
    for (const { id } of items) this.states.set(id, { state: 'waiting' });
  }

  /** How many items, in their order, have to be put together before this one can start: what they made is what it starts from. */
  startOf({ needs }: WorkItem): number {
    return Math.max(0, ...needs.map((need) => this.order.findIndex(({ id }) => id === need) + 1));
  }

  set(item: WorkItem, state: WorkItemState, message?: string): WorkItemView {
    this.states.set(item.id, { state, ...(message === undefined ? {} : { message }) });
    return this.view(item);
  }

  stateOf(item: WorkItem): WorkItemState {
    return this.states.get(item.id)!.state;
  }

  /** The item without which this one cannot be done. */
  blockerOf({ needs }: WorkItem): WorkItem | undefined {
    return this.items.find(
      (item) => needs.includes(item.id) && (this.stateOf(item) === 'failed' || this.stateOf(item) === 'not-run'),
    );
  }

  get views(): WorkItemView[] {
    return this.items.map((item) => this.view(item));
  }

  private view(item: WorkItem): WorkItemView {
    const { id, title, needs } = item;
    return { id, title, needs, ...this.states.get(id)! };
  }
}

/** The items and how far they are, as a Markdown table. */
export function describeItems(items: readonly WorkItemView[]): string {
  const rows = items.map(
    ({ id, title, needs, state, message }) =>
      `| ${id} | ${cell(title)} | ${needs.join(', ')} | ${state}${message ? `: ${cell(message)}` : ''} |`,
  );
  return ['| item | | needs | state |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ').slice(0, 200);
}

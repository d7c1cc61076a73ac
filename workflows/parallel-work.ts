import { condition, isCancellation, setCurrentDetails } from '@temporalio/workflow';
import type { createAgentActivities } from '../activities/agent.ts';
import type { createMergingActivities } from '../activities/merging.ts';
import type { WorkItem, WorkItemState } from '../contracts/plan.ts';
import type { SnapshotId } from '../contracts/snapshot.ts';
import type { AgentTurnResult, ModeInput } from '../contracts/workflow.ts';
import { proxyActivities } from './activities.ts';
import * as prompts from './agent-prompts.ts';
import { describeItems, ItemGraph } from './item-graph.ts';
import type { ModeAgents, Work } from './mode-agents.ts';
import { failureMessage } from './steps.ts';
import { tellCheckpoint, tellItems } from './tell-job.ts';

const { mergeWork, findMarkers } = proxyActivities<ReturnType<typeof createMergingActivities>>({
  startToCloseTimeout: '10m',
  summary: 'Put together what agents made',
  retry: { maximumInterval: '10s' },
});
const { addUserMessage } = proxyActivities<ReturnType<typeof createAgentActivities>>({
  startToCloseTimeout: '5m',
  summary: 'Tell the conversation what was done',
  retry: { initialInterval: '200ms', maximumInterval: '10s' },
});

/** Of `llm.parallelAgents`, where the request does not say. */
const defaultParallelAgents = 4;
/** An agent that leaves markers of a conflict is told so; after this many turns the item is done anew. */
const mostSettlingTurns = 3;

/** What an item's agent made, and of what. */
interface Made extends Pick<AgentTurnResult, 'status' | 'text' | 'snapshot'> {
  from: SnapshotId;
}

/**
 * Carries out work items, several at once, and puts together what they made. The items are merged one after the other in the order of their graph, each
 * onto what was merged before it, so that the same work gives the same files whichever agent was first. An item starts from what was merged when all that it
 * needs was.
 */
export class ParallelWork {
  readonly graph: ItemGraph;
  private readonly agents: ModeAgents;
  private readonly input: ModeInput;
  private readonly work: Work;
  /** What the conversation of every item begins with. */
  private readonly head: string;
  /** What there was after each merge; the first is what the work started from. */
  private readonly merged: SnapshotId[];
  private readonly said = new Map<WorkItem, string>();
  /** By item: why it is not in the result. */
  private readonly failures = new Map<WorkItem, string>();
  private readonly limit: number;
  private readonly stopsBefore: number;
  /** Items that have taken no part of the budget yet. */
  private readonly toCome: Set<WorkItem>;
  private working = 0;

  constructor(agents: ModeAgents, input: ModeInput, work: Work, opened: { items: WorkItem[]; head: string }) {
    this.agents = agents;
    this.input = input;
    this.work = work;
    this.head = opened.head;
    this.graph = new ItemGraph(opened.items);
    this.merged = [work.snapshot];
    this.toCome = new Set(opened.items);
    this.limit = input.request.parallelAgents ?? defaultParallelAgents;
    this.stopsBefore = agents.stops;
  }

  /** Returns what came of it with its plan, and a sentence when an item is missing in it. Nothing of an item is in the result unless all of it is. */
  async run(): Promise<{ work: Work; failure: string | undefined }> {
    await tellItems(this.graph.views);
    const made = new Map(this.graph.order.map((item) => [item, this.carryOut(item)]));
    const all = [...made.values(), this.putTogether(made)];
    // Also after a failure nobody is left behind.
    await Promise.allSettled(all);
    await Promise.all(all);
    await this.goOn();
    const failure = [...this.failures].map(([{ id, title }, why]) => `item ${id} (${title}): ${why}`).join('; ');
    const work = await this.agents.planned(this.work, this.merged.at(-1)!);
    return { work, failure: failure === '' ? undefined : failure };
  }

  /** Undefined when it was not done. */
  private async carryOut(item: WorkItem): Promise<Made | undefined> {
    const start = this.graph.startOf(item);
    await condition(() => this.merged.length > start);
    const blocker = this.graph.blockerOf(item);
    if (blocker) {
      this.toCome.delete(item);
      await this.show(item, 'not-run', `it needs ${blocker.id}`);
      return undefined;
    }
    const from = this.merged[start]!;
    try {
      return await this.inPlace(async (shares) => {
        this.toCome.delete(item);
        if (this.isStopped) {
          await this.show(item, 'not-run', 'agents were stopped');
          return undefined;
        }
        await this.show(item, 'running');
        const title = `${item.id}: ${item.title}`;
        const name = `item-${item.id}`;
        const made = await this.ask(name, title, prompts.itemPrompt(item), from, this.head, shares);
        const refusal = refusalOf(made);
        if (refusal) await this.fail(item, refusal);
        else await this.show(item, 'merging');
        return refusal ? undefined : { ...made, from };
      });
    } catch (error) {
      if (isCancellation(error)) throw error;
      await this.fail(item, failureMessage(error));
      return undefined;
    }
  }

  private async putTogether(made: ReadonlyMap<WorkItem, Promise<Made | undefined>>): Promise<void> {
    for (const item of this.graph.order) {
      const result = await made.get(item);
      const now = this.merged.at(-1)!;
      let next = now;
      try {
        if (result) next = await this.merge(item, result, now);
      } catch (error) {
        if (isCancellation(error)) throw error;
        await this.fail(item, failureMessage(error));
      }
      if (next !== now) await tellCheckpoint({ phase: 'building', snapshot: next, title: `${item.id}: ${item.title}` });
      // Whoever waits for this item goes on.
      this.merged.push(next);
    }
  }

  /** What there is with an item merged into it; as it was when that cannot be done. */
  private async merge(item: WorkItem, made: Made, ours: SnapshotId): Promise<SnapshotId> {
    const { project } = this.input;
    const { from: base, snapshot: theirs } = made;
    const { snapshot, conflicts } = await mergeWork({ project, base, ours, theirs });
    if (conflicts.length === 0) return await this.keep(item, made.text, snapshot);
    const where = `collides in ${conflicts.join(', ')}`;
    if (this.isStopped) {
      await this.fail(item, `${where}, and agents were stopped`);
      return ours;
    }
    await this.show(item, 'resolving', where);
    const settled = await this.settle(item, made, { ours, snapshot, conflicts });
    if (settled !== undefined) return await this.keep(item, made.text, settled);
    if (this.isStopped) {
      await this.fail(item, `${where}, and agents were stopped`);
      return ours;
    }
    await this.show(item, 'redoing', where);
    const redone = await this.inPlace((shares) =>
      this.ask(
        `item-${item.id}/redo`,
        `${item.id}: ${item.title} (anew)`,
        prompts.redoPrompt(item),
        ours,
        this.head,
        shares,
      ),
    );
    const refusal = refusalOf(redone);
    if (!refusal) return await this.keep(item, redone.text, redone.snapshot);
    await this.fail(item, `${where}, this could not be settled, and doing it anew failed: ${refusal}`);
    return ours;
  }

  /** Has an agent make one of both sides. Undefined when markers were left, or it did not come to an end. */
  private async settle(
    item: WorkItem,
    made: Made,
    merge: { ours: SnapshotId; snapshot: SnapshotId; conflicts: string[] },
  ): Promise<SnapshotId | undefined> {
    const { project } = this.input;
    const { ours, conflicts: paths } = merge;
    const before = this.graph.order
      .slice(this.graph.startOf(item), this.merged.length - 1)
      .filter((other) => this.graph.stateOf(other) === 'merged');
    const sides = before.map((other) => ({ item: other, said: this.said.get(other) ?? '' }));
    let prompt = prompts.conflictPrompt(paths, { item, said: made.text }, sides);
    let { snapshot } = merge;
    let head = this.head;
    for (let turn = 1; turn <= mostSettlingTurns; turn += 1) {
      const name = `item-${item.id}/settle-${turn}`;
      const title = `${item.id}: settle what collides in ${paths.join(', ')}`;
      const result = await this.inPlace((shares) => this.ask(name, title, prompt, snapshot, head, shares));
      if (result.status !== 'done') return undefined;
      ({ snapshot, head } = result);
      const left = await findMarkers({ project, snapshot, ours, theirs: made.snapshot, paths });
      if (left.length === 0) return snapshot;
      prompt = prompts.markersLeftPrompt(left);
    }
    return undefined;
  }

  private async ask(
    name: string,
    title: string,
    prompt: string,
    snapshot: SnapshotId,
    head: string,
    shares: number,
  ): Promise<AgentTurnResult> {
    return await this.agents.askApart({ title, prompt, snapshot, plan: this.work.plan }, { name, head, shares });
  }

  /** Waits for one of the places that agents may work in at once, and for something to spend where others hold all of it. */
  private async inPlace<T>(work: (shares: number) => Promise<T>): Promise<T> {
    const { ledger } = this.agents;
    // Looked at again after waiting: several may have waited for the same place.
    while (this.working >= this.limit || (this.working > 0 && ledger.exhausted() !== undefined))
      await condition(() => this.working < this.limit && (this.working === 0 || ledger.exhausted() === undefined));
    this.working += 1;
    try {
      // An equal part for each that is to come, and one for settling what collides.
      return await work(this.toCome.size + 1);
    } finally {
      this.working -= 1;
    }
  }

  private async keep(item: WorkItem, said: string, snapshot: SnapshotId): Promise<SnapshotId> {
    this.said.set(item, said);
    await this.show(item, 'merged');
    return snapshot;
  }

  private async fail(item: WorkItem, why: string): Promise<void> {
    this.failures.set(item, why);
    await this.show(item, 'failed', why);
  }

  private async show(item: WorkItem, state: WorkItemState, message?: string): Promise<void> {
    const view = this.graph.set(item, state, message);
    setCurrentDetails(describeItems(this.graph.views));
    await tellItems([view]);
  }

  private get isStopped(): boolean {
    return this.agents.stops > this.stopsBefore;
  }

  /** The mode's own conversation hears what was done beside it. */
  private async goOn(): Promise<void> {
    const { agents, said } = this;
    const done = this.graph.order.filter((item) => said.has(item)).map((item) => ({ item, said: said.get(item)! }));
    if (agents.head === null || done.length === 0) return;
    const text = prompts.workDonePrompt(done);
    agents.head = await addUserMessage({ head: agents.head, snapshot: this.merged.at(-1)!, text });
  }
}

/** Why what an agent left behind is not to be taken. What a user stopped is kept as it is. */
function refusalOf({ status }: Pick<AgentTurnResult, 'status'>): string | undefined {
  if (status === 'refused') return 'the model declined to answer';
  if (status === 'limit') return 'too many calls of the model';
  return undefined;
}

import { setHandler, workflowInfo } from '@temporalio/workflow';
import type { createAnalysisActivities } from '../activities/analysis.ts';
import type { createReportActivities } from '../activities/reports.ts';
import type { Budget, Spending } from '../contracts/agent.ts';
import type { SnapshotId } from '../contracts/snapshot.ts';
import type { AgentTurnInput, AgentTurnResult, ModeInput, TaskOutcome, TurnReasoning } from '../contracts/workflow.ts';
import { thinkingAsked } from '../llm/thinking.ts';
import { proxyActivities } from './activities.ts';
import { repairPrompt } from './agent-prompts.ts';
import { runChildTurn, type TurnHandle } from './child-turn.ts';
import { Ledger } from './ledger.ts';
import * as messages from './messages.ts';
import type { PauseGate } from './pause-gate.ts';
import { tellChild } from './tell-child.ts';

const { analyseProject } = proxyActivities<ReturnType<typeof createAnalysisActivities>>({
  startToCloseTimeout: '10m',
  summary: 'Read the changed sources',
  retry: { maximumInterval: '30s' },
});
const { quoteTaskFailures } = proxyActivities<ReturnType<typeof createReportActivities>>({
  startToCloseTimeout: '10m',
  summary: 'Quote what failed',
});

/** Of one turn: what its history can hold, with room to spare. */
export const mostModelCalls = 3_000;
const mostRepairs = 3;

const readingTools = ['read', 'list', 'search', 'git-history', 'read-output', 'plan', 'ask-user', 'fetch'];
const planningTools = [...readingTools, 'propose-work'];
export const allTools = [...readingTools, 'edit', 'write', 'apply-patch', 'delete', 'move', 'run', 'test', 'delegate'];

/** Sources and the plan that goes with them. */
export interface Work {
  snapshot: SnapshotId;
  /** Blob hash. */
  plan: string;
}

interface Ask {
  title: string;
  prompt: string;
  snapshot: SnapshotId;
  plan?: string;
  /** Output trees that its commands find beside the sources. */
  inputs?: SnapshotId[];
  /** Changes nothing, and may propose work items. */
  isPlanning?: boolean;
  /** What it is for, as far as ways to think are chosen by it. Left out: to plan where it is planning, else to write code. */
  purpose?: TurnReasoning['purpose'];
  /** How often this was tried before and failed. */
  failedAttempts?: number;
}

/** An agent that does not go on with the mode's conversation. Several may work at once. */
interface Apart {
  /** Of its workflow, below the mode's. */
  name: string;
  head: string | null;
  /** Among how many what is left of the budget is to be divided. */
  shares: number;
}

/** The agents of one mode: a conversation that goes on from turn to turn, others beside it, and one budget. */
export class ModeAgents {
  /** Head of the conversation; null before the first turn. */
  head: string | null;
  readonly ledger: Ledger;
  /** How often users have stopped all agents. */
  stops = 0;
  /** What the agents that mended something said of it. */
  readonly explanations: string[] = [];
  private said = '';
  private turns = 0;
  private readonly running = new Set<TurnHandle>();
  private readonly input: ModeInput;
  private readonly phase: AgentTurnInput['phase'];
  private readonly gate: PauseGate;

  constructor(input: ModeInput, phase: AgentTurnInput['phase'], gate: PauseGate) {
    this.input = input;
    this.phase = phase;
    this.gate = gate;
    this.head = input.conversation ?? null;
    this.ledger = new Ledger(input.budget ?? {});
    setHandler(messages.stopSignal, async () => {
      this.stops += 1;
      await Promise.all([...this.running].map((child) => tellChild(child.signal(messages.stopSignal))));
    });
  }

  /** Whether there is a model, and something to do for it. */
  get atHand(): boolean {
    const { model, goal } = this.input.request;
    return Boolean(model) && goal !== '';
  }

  get spending(): { spending?: Spending } {
    return this.turns > 0 ? { spending: this.ledger.spent } : {};
  }

  /** What the next mode goes on with. */
  get conversation(): { conversation?: string; raised?: Budget } {
    return this.head === null ? {} : { conversation: this.head, raised: this.ledger.raisedBy };
  }

  /** Lets an agent change the sources. What is to be built and tested is read anew from what came of it. */
  async change(
    work: Work,
    title: string,
    prompt: string,
    more: Pick<Ask, 'inputs' | 'purpose' | 'failedAttempts'> = {},
  ): Promise<Work> {
    const { snapshot, text } = await this.ask({ ...work, title, prompt, ...more });
    this.said = text;
    return await this.planned(work, snapshot);
  }

  /** A snapshot with the plan that belongs to it. */
  async planned(before: Work, snapshot: SnapshotId): Promise<Work> {
    if (snapshot === before.snapshot) return before;
    const { project, request } = this.input;
    return { snapshot, plan: (await analyseProject({ project, snapshot, request })).plan };
  }

  /** Runs tasks; while some fail and an agent finds something to change, lets it mend them and runs them again. */
  async runAndMend(
    from: Work,
    what: 'build' | 'tests',
    run: (work: Work) => Promise<TaskOutcome[]>,
  ): Promise<{ work: Work; outcomes: TaskOutcome[] }> {
    let work = from;
    let outcomes = await run(work);
    for (let repairs = 1; this.atHand && repairs <= mostRepairs; repairs += 1) {
      if (outcomes.every((outcome) => outcome.succeeded)) break;
      const failures = await quoteTaskFailures({ project: this.input.project, outcomes });
      const inputs = outcomes.flatMap((outcome) => outcome.outputs ?? []);
      const mended = await this.change(work, `Mend the ${what}`, repairPrompt(what, failures), {
        inputs,
        purpose: 'repair',
        failedAttempts: repairs,
      });
      if (this.said) this.explanations.push(this.said);
      if (mended.snapshot === work.snapshot) break;
      work = mended;
      outcomes = await run(work);
    }
    return { work, outcomes };
  }

  /** Goes on with the mode's conversation. */
  async ask(work: Ask): Promise<AgentTurnResult> {
    this.turns += 1;
    const result = await this.turn(work, { name: `agent-${this.turns}`, head: this.head, shares: 1 });
    // One that was stopped before it began has said nothing.
    if (result.head) this.head = result.head;
    return result;
  }

  async askApart(work: Ask, apart: Apart): Promise<AgentTurnResult> {
    this.turns += 1;
    return await this.turn(work, apart);
  }

  private async turn(work: Ask, { name, head, shares }: Apart): Promise<AgentTurnResult> {
    await this.gate.pass();
    const { jobId, project, request } = this.input;
    const { stops } = this;
    let child: TurnHandle | undefined;
    const forward = (closed: boolean): Promise<void> =>
      tellChild(child?.signal(closed ? messages.pauseSignal : messages.resumeSignal));
    const stopForwarding = this.gate.onChange(forward);
    try {
      return await runChildTurn(
        this.ledger,
        `${workflowInfo().workflowId}/${name}`,
        {
          job: { jobId, project, request },
          phase: this.phase,
          title: work.title,
          models: [request.model!, ...(request.fallbackModels ?? [])],
          snapshot: work.snapshot,
          head,
          prompt: work.prompt,
          // Later turns find them in the conversation.
          ...(head === null && request.attachments ? { attachments: request.attachments } : {}),
          tools: work.isPlanning ? planningTools : allTools,
          permissions: work.isPlanning
            ? { mode: 'plan', rules: request.permissions?.rules ?? [] }
            : (request.permissions ?? { mode: 'auto', rules: [] }),
          ...(work.plan ? { plan: work.plan } : {}),
          inputs: work.inputs ?? [],
          commit: this.input.source?.commit ?? null,
          maxModelCalls: mostModelCalls,
          depth: 0,
          reasoning: {
            ...request.reasoning,
            purpose: work.purpose ?? (work.isPlanning ? 'plan' : 'code'),
            failedAttempts: work.failedAttempts ?? 0,
            thinking: thinkingAsked(request.goal),
          },
        },
        {
          shares,
          started: async (started) => {
            child = started;
            this.running.add(started);
            // What was said while it started was said to nobody.
            if (this.gate.isClosed) await forward(true);
            if (this.stops > stops) await tellChild(started.signal(messages.stopSignal));
          },
        },
      );
    } finally {
      stopForwarding();
      if (child) this.running.delete(child);
    }
  }
}

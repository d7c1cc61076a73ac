import { workflowInfo } from '@temporalio/workflow';
import type { createAnalysisActivities } from '../activities/analysis.ts';
import type { createReportActivities } from '../activities/reports.ts';
import type { Budget, Spending } from '../contracts/agent.ts';
import type { SnapshotId } from '../contracts/snapshot.ts';
import type { AgentTurnInput, AgentTurnResult, ModeInput, TaskOutcome, TurnReasoning } from '../contracts/workflow.ts';
import { thinkingAsked } from '../llm/thinking.ts';
import { proxyActivities } from './activities.ts';
import { repairPrompt } from './agent-prompts.ts';
import { runChildTurn } from './child-turn.ts';
import { Ledger } from './ledger.ts';
import * as messages from './messages.ts';
import type { PauseGate } from './pause-gate.ts';

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
  readOnly?: boolean;
  /** What it is for, as far as ways to think are chosen by it. Left out: to plan where it only reads, else to write code. */
  purpose?: TurnReasoning['purpose'];
  /** How often this was tried before and failed. */
  failedAttempts?: number;
}

/** The agents of one mode: one conversation that goes on from turn to turn, and one budget. */
export class ModeAgents {
  /** Head of the conversation; null before the first turn. */
  head: string | null;
  readonly ledger: Ledger;
  private turns = 0;
  private readonly input: ModeInput;
  private readonly phase: AgentTurnInput['phase'];
  private readonly gate: PauseGate;

  constructor(input: ModeInput, phase: AgentTurnInput['phase'], gate: PauseGate) {
    this.input = input;
    this.phase = phase;
    this.gate = gate;
    this.head = input.conversation ?? null;
    this.ledger = new Ledger(input.budget ?? {});
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
    const { snapshot } = await this.ask({ ...work, title, prompt, ...more });
    if (snapshot === work.snapshot) return work;
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
      if (mended.snapshot === work.snapshot) break;
      work = mended;
      outcomes = await run(work);
    }
    return { work, outcomes };
  }

  async ask(work: Ask): Promise<AgentTurnResult> {
    await this.gate.pass();
    const { jobId, project, request } = this.input;
    this.turns += 1;
    let stopForwarding: (() => void) | undefined;
    try {
      const result = await runChildTurn(
        this.ledger,
        `${workflowInfo().workflowId}/agent-${this.turns}`,
        {
          job: { jobId, project, request },
          phase: this.phase,
          title: work.title,
          models: [request.model!, ...(request.fallbackModels ?? [])],
          snapshot: work.snapshot,
          head: this.head,
          prompt: work.prompt,
          // Later turns find them in the conversation.
          ...(this.head === null && request.attachments ? { attachments: request.attachments } : {}),
          tools: work.readOnly ? readingTools : allTools,
          permissions: work.readOnly
            ? { mode: 'plan', rules: request.permissions?.rules ?? [] }
            : (request.permissions ?? { mode: 'auto', rules: [] }),
          ...(work.plan ? { plan: work.plan } : {}),
          inputs: work.inputs ?? [],
          commit: this.input.source?.commit ?? null,
          maxModelCalls: mostModelCalls,
          depth: 0,
          reasoning: {
            ...request.reasoning,
            purpose: work.purpose ?? (work.readOnly ? 'plan' : 'code'),
            failedAttempts: work.failedAttempts ?? 0,
            thinking: thinkingAsked(request.goal),
          },
        },
        {
          started: (child) => {
            stopForwarding = this.gate.onChange((closed) =>
              child.signal(closed ? messages.pauseSignal : messages.resumeSignal),
            );
          },
        },
      );
      this.head = result.head;
      return result;
    } finally {
      stopForwarding?.();
    }
  }
}

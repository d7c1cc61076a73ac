import type { createAnalysisActivities } from '../activities/analysis.ts';
import type { createReportActivities } from '../activities/reports.ts';
import type { Task } from '../contracts/plan.ts';
import type { ModeInput, ModeOutput, RecipeTask, TaskOutcome } from '../contracts/workflow.ts';
import { proxyActivities } from './activities.ts';
import { refactoringPrompt, refusedRefactoringPrompt, reviewPrompt } from './agent-prompts.ts';
import { ModeAgents, type Work } from './mode-agents.ts';
import { PauseGate } from './pause-gate.ts';
import { outcomeOf, stepContext } from './step-order.ts';
import { countSteps, finishHandlers, runStep, runTasks } from './steps.ts';
import { tellCheckpoint } from './tell-job.ts';

const { planRecipes } = proxyActivities<ReturnType<typeof createAnalysisActivities>>({
  startToCloseTimeout: '1m',
  summary: 'Prepare the recipes',
});
const { compareRecipeChecks, explainRecipeFailure } = proxyActivities<ReturnType<typeof createReportActivities>>({
  startToCloseTimeout: '10m',
  summary: 'Judge a refactoring',
});

/** How often an agent may propose a refactoring for the goal; the second time it is told why the first was rolled back. */
const mostProposals = 2;

/** A codemod reads and rewrites sources only; a large project takes minutes, not more. */
const recipeTimeoutMs = 15 * 60_000;

/**
 * Applies the recipes one after the other. With a model, an agent reviews the job's change, or, in a job that does not build, refactors towards its goal.
 * Each change is checked by type check, build and tests against the state before it, kept when nothing got worse, and otherwise left out: the
 * snapshot simply stays the one before.
 */
export async function refactoring(input: ModeInput): Promise<ModeOutput> {
  const gate = new PauseGate();
  const startedAt = Date.now();
  const mode = new Refactoring(input, gate);
  const recipes = await planRecipes({ recipes: input.request.recipes });
  for (const [index, recipe] of recipes.entries()) {
    await gate.pass();
    await mode.apply(recipe, index);
  }
  const isAsked = (await mode.refactorTowardsGoal()) || (await mode.review());
  await finishHandlers();
  const nothingToDo = recipes.length === 0 && !isAsked;
  return {
    phase: {
      status: nothingToDo ? 'skipped' : mode.refused ? 'rolled-back' : 'succeeded',
      summary: nothingToDo ? 'no recipe was given, so there was nothing to do' : mode.told.join('\n'),
      steps: countSteps(mode.counted),
      durationMs: Date.now() - startedAt,
      ...mode.agents.spending,
      artifacts: {},
    },
    ...mode.work,
    outcomes: mode.before,
    ...mode.agents.conversation,
  };
}

class Refactoring {
  readonly agents: ModeAgents;
  /** Outcomes of every step, for the count. */
  readonly counted: TaskOutcome[] = [];
  readonly told: string[] = [];
  /** Whether a recipe was left out. */
  refused = false;
  work: Work;
  /** What is known of the checks on the snapshot of now; all of them once one change was judged. */
  before: TaskOutcome[];
  private beforeIsComplete = false;
  private readonly input: ModeInput;
  private readonly gate: PauseGate;

  constructor(input: ModeInput, gate: PauseGate) {
    this.input = input;
    this.gate = gate;
    this.agents = new ModeAgents(input, 'refactoring', gate);
    this.work = { snapshot: input.snapshot, plan: input.plan! };
    this.before = input.baseline;
  }

  async apply(recipe: RecipeTask, index: number): Promise<void> {
    const { title } = recipe;
    const change = await this.runRecipe(recipe, index);
    this.counted.push(change);
    if (!change.succeeded) {
      this.refused = true;
      this.told.push(await explainRecipeFailure({ title, outcome: change }));
    } else if (change.snapshot === this.work.snapshot) {
      this.told.push(`${title}: nothing to change`);
    } else {
      const reasons = await this.judge({ snapshot: change.snapshot, plan: this.work.plan }, title);
      if (reasons.length > 0) this.refused = true;
    }
  }

  /** In a job that implements nothing, the goal is one of refactoring. False when it is not, or there is no agent. */
  async refactorTowardsGoal(): Promise<boolean> {
    const { goal, modes } = this.input.request;
    if (!this.agents.atHand || modes.includes('building')) return false;
    const title = 'Refactor towards the goal';
    let prompt = refactoringPrompt(goal);
    for (let proposals = 1; ; proposals += 1) {
      const changed = await this.agents.change(this.work, title, prompt);
      if (changed.snapshot === this.work.snapshot) {
        this.told.push(`${title}: nothing to change`);
        return true;
      }
      const reasons = await this.judge(changed, title);
      if (reasons.length === 0) return true;
      if (proposals === mostProposals) break;
      prompt = refusedRefactoringPrompt(reasons);
    }
    this.refused = true;
    return true;
  }

  /** Has an agent read what the job has changed. False when there is no agent or nothing to read. */
  async review(): Promise<boolean> {
    const { request, source } = this.input;
    if (!this.agents.atHand || source === undefined || this.work.snapshot === source.snapshot) return false;
    const title = 'Review of the change';
    const changed = await this.agents.change(this.work, title, reviewPrompt(request.goal), { purpose: 'review' });
    if (changed.snapshot === this.work.snapshot) this.told.push(`${title}: nothing to change`);
    else await this.judge(changed, title);
    return true;
  }

  /** Keeps a change when nothing got worse by it. Returns why it was not kept; nothing when it was. */
  private async judge(changed: Work, title: string): Promise<string[]> {
    const [before, after] = await bothOf(
      this.beforeIsComplete ? Promise.resolve(this.before) : this.check(this.work, this.before, 'before'),
      this.check(changed, [], title),
    );
    this.before = before;
    this.beforeIsComplete = true;
    const verdict = await compareRecipeChecks({ before, after });
    if (!verdict.keep) {
      this.told.push(`${title}: rolled back because ${verdict.reasons.join('; ')}`);
      return verdict.reasons;
    }
    this.work = changed;
    this.before = after;
    this.told.push(`${title}: kept`);
    await tellCheckpoint({ phase: 'refactoring', snapshot: changed.snapshot, title });
    return [];
  }

  private async runRecipe(recipe: RecipeTask, index: number): Promise<TaskOutcome> {
    const { project, request } = this.input;
    const taskId = `recipe:${index + 1}:${recipe.recipe.name}`;
    const result = await runStep(stepContext(this.input, 'refactoring', taskId, recipe.title), {
      project,
      snapshot: this.work.snapshot,
      command: { shell: recipe.shell, cwd: '.' },
      env: {},
      layers: [],
      inputs: [],
      outputs: [],
      tools: [],
      // The codemods come with the controller's installation.
      class: 'controller',
      timeoutMs: recipeTimeoutMs,
      cache: request.cache,
    });
    return outcomeOf(taskId, 'recipe', result);
  }

  /** Runs what is not known yet of the checks on a snapshot. */
  private async check(work: Work, known: readonly TaskOutcome[], occasion: string): Promise<TaskOutcome[]> {
    const kinds: Task['kind'][] = ['install', 'build', 'test', 'check'];
    const { input, gate } = this;
    const outcomes = await runTasks({ input, phase: 'refactoring', ...work, kinds, known, gate, occasion });
    const before = new Set(known.map((outcome) => outcome.taskId));
    this.counted.push(...outcomes.filter((outcome) => !before.has(outcome.taskId)));
    return outcomes;
  }
}

/** Like `Promise.all`, but also a failure waits until both have ended: steps that run are never left behind. */
async function bothOf<T>(first: Promise<T>, second: Promise<T>): Promise<[T, T]> {
  await Promise.allSettled([first, second]);
  return [await first, await second];
}

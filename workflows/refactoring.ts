import { getExternalWorkflowHandle, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { createAnalysisActivities } from '../activities/analysis.ts';
import type { createReportActivities } from '../activities/reports.ts';
import type { Task } from '../contracts/plan.ts';
import type { SnapshotId } from '../contracts/snapshot.ts';
import type { ModeInput, ModeOutput, RecipeTask, TaskOutcome } from '../contracts/workflow.ts';
import { checkpointSignal } from './messages.ts';
import { PauseGate } from './pause-gate.ts';
import { outcomeOf, stepContext } from './step-order.ts';
import { countSteps, finishHandlers, runStep, runTasks } from './steps.ts';

const { planRecipes } = proxyActivities<ReturnType<typeof createAnalysisActivities>>({
  startToCloseTimeout: '1m',
  summary: 'Prepare the recipes',
});
const { compareRecipeChecks, explainRecipeFailure } = proxyActivities<ReturnType<typeof createReportActivities>>({
  startToCloseTimeout: '10m',
  summary: 'Judge a recipe',
});

/** A codemod reads and rewrites sources only; a large project takes minutes, not more. */
const recipeTimeoutMs = 15 * 60_000;

/**
 * Applies the recipes one after the other. Each is checked by type check, build and tests against the state before it, kept when nothing got
 * worse, and otherwise left out: the snapshot simply stays the one before.
 */
export async function refactoring(input: ModeInput): Promise<ModeOutput> {
  const gate = new PauseGate();
  const startedAt = Date.now();
  const recipes = await planRecipes({ recipes: input.request.recipes });
  const counted: TaskOutcome[] = [];
  const told: string[] = [];
  let snapshot = input.snapshot;
  let before = input.baseline;
  let beforeIsComplete = false;
  let kept = 0;
  let unchanged = 0;
  for (const [index, recipe] of recipes.entries()) {
    await gate.pass();
    const change = await applyRecipe(input, snapshot, recipe, index);
    counted.push(change);
    if (!change.succeeded) {
      told.push(await explainRecipeFailure({ title: recipe.title, outcome: change }));
      continue;
    }
    if (change.snapshot === snapshot) {
      unchanged += 1;
      told.push(`${recipe.title}: nothing to change`);
      continue;
    }
    const [beforeIt, after] = await bothOf(
      beforeIsComplete ? Promise.resolve(before) : check(input, gate, snapshot, before, counted, 'before'),
      check(input, gate, change.snapshot, [], counted, recipe.title),
    );
    before = beforeIt;
    beforeIsComplete = true;
    const verdict = await compareRecipeChecks({ before, after });
    if (!verdict.keep) {
      told.push(`${recipe.title}: rolled back because ${verdict.reasons.join('; ')}`);
      continue;
    }
    kept += 1;
    snapshot = change.snapshot;
    before = after;
    told.push(`${recipe.title}: kept`);
    await tellParent(snapshot, recipe.title);
  }
  await finishHandlers();
  const refused = recipes.length - kept - unchanged;
  return {
    phase: {
      status: recipes.length === 0 ? 'skipped' : refused > 0 ? 'rolled-back' : 'succeeded',
      summary: recipes.length === 0 ? 'no recipe was given, so there was nothing to do' : told.join('\n'),
      steps: countSteps(counted),
      durationMs: Date.now() - startedAt,
      artifacts: {},
    },
    snapshot,
    outcomes: before,
  };
}

async function applyRecipe(
  input: ModeInput,
  snapshot: SnapshotId,
  recipe: RecipeTask,
  index: number,
): Promise<TaskOutcome> {
  const taskId = `recipe:${index + 1}:${recipe.recipe.name}`;
  const result = await runStep(stepContext(input, 'refactoring', taskId, recipe.title), {
    project: input.project,
    snapshot,
    command: { shell: recipe.shell, cwd: '.' },
    env: {},
    layers: [],
    inputs: [],
    outputs: [],
    tools: [],
    // The codemods come with the controller's installation.
    class: 'controller',
    timeoutMs: recipeTimeoutMs,
    cache: input.request.cache,
  });
  return outcomeOf(taskId, 'recipe', result);
}

/** Runs what is not known yet of the checks on a snapshot. */
async function check(
  input: ModeInput,
  gate: PauseGate,
  snapshot: SnapshotId,
  known: readonly TaskOutcome[],
  counted: TaskOutcome[],
  occasion: string,
): Promise<TaskOutcome[]> {
  const kinds: Task['kind'][] = ['install', 'build', 'test', 'check'];
  const outcomes = await runTasks({ input, phase: 'refactoring', snapshot, kinds, known, gate, occasion });
  const before = new Set(known.map((outcome) => outcome.taskId));
  counted.push(...outcomes.filter((outcome) => !before.has(outcome.taskId)));
  return outcomes;
}

/** Like `Promise.all`, but also a failure waits until both have ended: steps that run are never left behind. */
async function bothOf<T>(first: Promise<T>, second: Promise<T>): Promise<[T, T]> {
  await Promise.allSettled([first, second]);
  return [await first, await second];
}

async function tellParent(snapshot: SnapshotId, title: string): Promise<void> {
  const { parent } = workflowInfo();
  if (parent)
    await getExternalWorkflowHandle(parent.workflowId).signal(checkpointSignal, {
      phase: 'refactoring',
      snapshot,
      title,
    });
}

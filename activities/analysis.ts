import { z } from 'zod';
import { lastWords } from '../agent/conversation.ts';
import type { BlobStore } from '../blobs/blob-store.ts';
import type { JobRequest } from '../contracts/job.ts';
import { type Plan, planSchema, type Task, type WorkItem, workItemSchema } from '../contracts/plan.ts';
import type { Recipe } from '../contracts/recipe.ts';
import type { ProjectId, SnapshotId } from '../contracts/snapshot.ts';
import type { RecipeTask } from '../contracts/workflow.ts';
import { demandClass } from '../db/classes.ts';
import type { Database } from '../db/database.ts';
import { analyse } from '../modes/planning/analyse.ts';
import { approachMarkdown, planMarkdown } from '../modes/planning/plan-markdown.ts';
import { recipeCommand } from '../modes/refactoring/command.ts';
import { untestedSources } from '../modes/testing/untested-sources.ts';
import type { SnapshotStore } from '../snapshots/store.ts';
import { activityGroup } from './activity-group.ts';

export interface AnalysisDeps {
  stores(project: ProjectId): Promise<SnapshotStore>;
  blobs: BlobStore;
  database: Database;
}

/** What planning reads from a snapshot, and the commands of recipes. */
export function createAnalysisActivities({ stores, blobs, database }: AnalysisDeps) {
  return activityGroup({
    async analyseProject(input: {
      project: ProjectId;
      snapshot: SnapshotId;
      request: JobRequest;
    }): Promise<{ plan: string; markdown: string; summary: string; tasks: number }> {
      const { project, snapshot, request } = input;
      const store = await stores(project);
      const plan = await analyse(
        { list: () => store.list(snapshot), readMany: (paths) => store.readMany(snapshot, paths) },
        { env: request.env, ...(request.nodeClass ? { nodeClass: request.nodeClass } : {}) },
      );
      // Asked for early, so that the node-pool listens for a class before its first step is there.
      for (const name of plan.classes) await demandClass(database, name);
      if (request.recipes.length > 0) await demandClass(database, 'controller');
      return {
        plan: await blobs.put(JSON.stringify(plan, null, 2)),
        markdown: await blobs.put(planMarkdown(plan, { goal: request.goal, project })),
        summary: summarise(plan),
        tasks: plan.tasks.length,
      };
    },

    /** The plan and its page with what an agent says about reaching the goal, and the work items that it proposed. All are blob hashes. */
    async addApproach(input: {
      plan: string;
      markdown: string;
      head: string;
      work?: string;
    }): Promise<{ plan: string; markdown: string; items: WorkItem[] }> {
      const [plan, page, work] = await Promise.all(
        [input.plan, input.markdown, input.work].map(async (hash) => hash && (await blobs.get(hash))?.toString()),
      );
      const approach = await lastWords(blobs, input.head);
      const proposed = z.array(workItemSchema).parse(JSON.parse(work || '[]'));
      // One part is no division.
      const items = proposed.length > 1 ? proposed : [];
      const full: Plan = { ...planSchema.parse(JSON.parse(plan!)), approach, ...(items.length > 0 ? { items } : {}) };
      return {
        plan: await blobs.put(JSON.stringify(full, null, 2)),
        markdown: await blobs.put((page ?? '') + approachMarkdown(approach, items)),
        items,
      };
    },

    /** The sources that differ between two snapshots, when none of what differs is a test; otherwise none. */
    async findUntested(input: { project: ProjectId; from: SnapshotId; to: SnapshotId }): Promise<string[]> {
      const store = await stores(input.project);
      const changes = (await store.diff(input.from, input.to)).filter(({ change }) => change !== 'deleted');
      return await untestedSources(
        changes.map(({ path }) => path),
        async (path) => (await store.read(input.to, path))?.toString() ?? '',
      );
    },

    async planRecipes({ recipes }: { recipes: Recipe[] }): Promise<RecipeTask[]> {
      return recipes.map((recipe) => ({ recipe, title: recipeTitle(recipe), ...recipeCommand(recipe) }));
    },
  });
}

function summarise(plan: Plan): string {
  if (plan.tasks.length === 0) return ['nothing to build or test was found', ...plan.notes].join('; ');
  const languages = plan.languages.slice(0, 3).map((language) => language.name);
  const count = (kind: Task['kind']): number => plan.tasks.filter((task) => task.kind === kind).length;
  return `${plan.packages.length} ${plan.packages.length === 1 ? 'package' : 'packages'} (${languages.join(', ')}), ${count('build')} to build, ${count('test')} to test`;
}

function recipeTitle(recipe: Recipe): string {
  switch (recipe.name) {
    case 'rename-symbol':
      return `Rename ${recipe.symbol} to ${recipe.to}`;
    case 'move-file':
      return `Move ${recipe.from} to ${recipe.to}`;
    case 'move-symbol':
      return `Move ${recipe.symbol} from ${recipe.from} to ${recipe.to}`;
    case 'organise-imports':
      return recipe.path ? `Organise imports in ${recipe.path}` : 'Organise imports';
  }
}

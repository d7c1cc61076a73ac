import { z } from 'zod';
import { capabilityClassSchema } from './capability-class.ts';
import { commandSchema, layerSchema, resourcesSchema } from './step.ts';

export const ecosystemSchema = z.enum(['node', 'go', 'cargo', 'python', 'make', 'cmake', 'maven', 'gradle']);
export type Ecosystem = z.infer<typeof ecosystemSchema>;

/** A package as found in the sources. */
export const packageInfoSchema = z.object({
  /** Unique in the project: the manifest's name, or the folder where two packages share one. */
  name: z.string().min(1),
  /** Workspace-relative folder, `.` for the root. */
  path: z.string(),
  ecosystem: ecosystemSchema,
  /** The tool that builds it: npm, pnpm, yarn, go, cargo, pip, poetry, uv, make, cmake, maven, gradle ... */
  manager: z.string(),
  version: z.string().optional(),
  /** Names of packages of this project it needs. */
  dependsOn: z.array(z.string()),
  buildCommand: z.string().optional(),
  testCommand: z.string().optional(),
  testFramework: z.string().optional(),
  files: z.number().int().nonnegative(),
  bytes: z.number().int().nonnegative(),
});
export type PackageInfo = z.infer<typeof packageInfoSchema>;

/** A node of the plan's DAG: one step to run. Task ids look like `install`, `build:core`, `test:core`. */
export const taskSchema = z.object({
  id: z.string().min(1),
  kind: z.enum(['install', 'build', 'test', 'check']),
  /** Name of the package, absent for tasks of the whole project. */
  package: z.string().optional(),
  /** One line for people, e.g. "Build packages/core". */
  title: z.string(),
  command: commandSchema,
  env: z.record(z.string(), z.string()).default({}),
  layers: z.array(layerSchema).default([]),
  /** Ids of tasks that must have succeeded; their outputs are laid into this task's workspace. */
  needs: z.array(z.string()).default([]),
  outputs: z.array(z.string()).default([]),
  tools: z.array(z.string()).default([]),
  class: capabilityClassSchema,
  resources: resourcesSchema.optional(),
});
export type Task = z.infer<typeof taskSchema>;

/** A part of the goal that one agent carries out on a copy of its own. */
export const workItemSchema = z.strictObject({
  id: z
    .string()
    .regex(
      /^[a-z0-9][a-z0-9-]{0,39}$/,
      'an id is made of small letters, digits and dashes, 40 at most, e.g. "cli-flag"',
    ),
  /** One line for people. */
  title: z.string().min(1).max(200),
  /** All that the agent needs to know beside the plan. */
  prompt: z.string().min(1).max(4_000),
  /** Workspace-relative paths that it will change or make. */
  files: z.array(z.string().min(1).max(500)).max(50).default([]),
  /** Ids of items whose work it starts from. */
  needs: z.array(z.string()).default([]),
});
export type WorkItem = z.infer<typeof workItemSchema>;

export const mostWorkItems = 20;

/**
 * `waiting`: for what it needs, or for a free place. `merging`: its agent has ended, and its turn to be put together with the others is to come.
 * `resolving`: an agent settles where it and the others collide. `redoing`: it is done anew on top of what the others did. `not-run`: something it
 * needs has failed, or agents were stopped.
 */
export const workItemStateSchema = z.enum([
  'waiting',
  'running',
  'merging',
  'resolving',
  'redoing',
  'merged',
  'failed',
  'not-run',
]);
export type WorkItemState = z.infer<typeof workItemStateSchema>;

/** A work item as people see it while the job runs. */
export const workItemViewSchema = z.object({
  id: z.string(),
  title: z.string(),
  needs: z.array(z.string()),
  state: workItemStateSchema,
  /** Why, in a sentence: which files collided, what failed. */
  message: z.string().optional(),
});
export type WorkItemView = z.infer<typeof workItemViewSchema>;

export const planSchema = z.object({
  languages: z.array(
    z.object({ name: z.string(), files: z.number().int(), bytes: z.number().int(), lines: z.number().int() }),
  ),
  packages: z.array(packageInfoSchema),
  tasks: z.array(taskSchema),
  /** Capability classes the tasks need. */
  classes: z.array(z.string()),
  files: z.number().int().nonnegative(),
  bytes: z.number().int().nonnegative(),
  /** What a reader should know: a missing lock file, a package without tests, a cycle. */
  notes: z.array(z.string()),
  /** How an agent would reach the goal, in Markdown; absent when none was asked. */
  approach: z.string().optional(),
  /** Parts of the goal for several agents, each after those it needs; absent where one agent does it all. */
  items: z.array(workItemSchema).optional(),
});
export type Plan = z.infer<typeof planSchema>;

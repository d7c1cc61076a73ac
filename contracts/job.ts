import { z } from 'zod';
import { budgetSchema, modelNameSchema, modelWishSchema, permissionsSchema, spendingSchema } from './agent.ts';
import { attachmentsSchema } from './attachment.ts';
import { capabilityClassSchema } from './capability-class.ts';
import { workItemViewSchema } from './plan.ts';
import { reasoningSchema } from './reasoning.ts';
import { recipeSchema } from './recipe.ts';
import { projectIdSchema, snapshotIdSchema, sourceSchema } from './snapshot.ts';
import { resourcesSchema } from './step.ts';

export const modeSchema = z.enum(['planning', 'building', 'testing', 'refactoring']);
export type Mode = z.infer<typeof modeSchema>;
export const modes = modeSchema.options;

export const jobIdSchema = z.string().regex(/^job-[a-z0-9]{12}$/, 'a job id looks like job-0123456789ab');

export const prioritySchema = z.enum(['low', 'normal', 'high', 'critical']);
export type Priority = z.infer<typeof prioritySchema>;

/** What a user asks for. */
export const jobRequestSchema = z.object({
  /** A chat waits for messages instead of carrying a goal through modes; its steps and checkpoints count as those of its first mode. Default: a job. */
  kind: z.enum(['job', 'chat']).optional(),
  source: sourceSchema,
  goal: z.string().max(10_000).default(''),
  modes: z
    .array(modeSchema)
    .min(1)
    .default([...modes]),
  recipes: z.array(recipeSchema).default([]),
  /** Wait for an approval of the plan. */
  approve: z.boolean().default(false),
  /** Added to what every step of the job asks of a node. */
  nodeClass: capabilityClassSchema.optional(),
  /** For every step that does not say otherwise. */
  resources: resourcesSchema.optional(),
  /** Whose steps go first when there are more than free places. */
  priority: prioritySchema.optional(),
  env: z
    .record(
      z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'a variable name is letters, digits and underscores'),
      z.string(),
    )
    .default({}),
  cache: z.enum(['on', 'all', 'off']).default('on'),
  stepTimeoutMs: z.number().int().positive().optional(),
  /** How long a step may wait for a node of its class before the job fails. */
  nodeWaitMs: z.number().int().positive().optional(),
  /**
   * Asked for the goal; null for none. Left out, the configured one is taken, or that of the only provider there is. Without a model the job does
   * what needs none. The others are tried in their order when the first one fails.
   */
  model: modelWishSchema.nullable().optional(),
  fallbackModels: z.array(modelNameSchema).optional(),
  /** Of the job's agents. */
  permissions: permissionsSchema.optional(),
  budget: budgetSchema.optional(),
  /** How many agents may work at once on parts of the goal. */
  parallelAgents: z.number().int().min(1).max(50).optional(),
  reasoning: reasoningSchema.optional(),
  /** Given to the agents along with the goal. A chat has them with its messages. */
  attachments: attachmentsSchema.optional(),
  /** Who asks, as the operating system names them; the API's own user when nobody is named. */
  user: z.string().min(1).max(100).optional(),
  /** Two requests with the same key are one job. */
  idempotencyKey: z.string().min(1).max(200).optional(),
});
export type JobRequest = z.infer<typeof jobRequestSchema>;

export const jobStatusSchema = z.enum([
  'running',
  'waiting-for-approval',
  'paused',
  'succeeded',
  'failed',
  'cancelled',
  'rejected',
]);
export type JobStatus = z.infer<typeof jobStatusSchema>;

/** A snapshot recorded in the job's history: `c0` is the source as imported, then one per phase and per kept change. */
export const checkpointSchema = z.object({
  id: z.string().regex(/^c\d+$/),
  phase: z.union([z.literal('source'), modeSchema]),
  snapshot: snapshotIdSchema,
  /** One line: what this checkpoint holds. */
  title: z.string(),
});
export type Checkpoint = z.infer<typeof checkpointSchema>;

export const testCountsSchema = z.object({
  total: z.number().int(),
  passed: z.number().int(),
  failed: z.number().int(),
  skipped: z.number().int(),
});
export type TestCounts = z.infer<typeof testCountsSchema>;

export const stepCountsSchema = z.object({ run: z.number().int(), cached: z.number().int() });
export type StepCounts = z.infer<typeof stepCountsSchema>;

/** What came of one phase. */
export const phaseResultSchema = z.object({
  status: z.enum(['succeeded', 'failed', 'skipped', 'rolled-back', 'cancelled', 'rejected']),
  /** One line for people: "3 packages built", "the rename broke 2 tests". */
  summary: z.string(),
  steps: stepCountsSchema,
  durationMs: z.number().int(),
  tests: testCountsSchema.optional(),
  /** Of the phase's agents; absent when no model was asked. */
  spending: spendingSchema.optional(),
  /** Blob hashes of the phase's documents by file name: `plan.json`, `plan.md`, `junit.xml`, `failures.md`. */
  artifacts: z.record(z.string(), z.string()).default({}),
});
export type PhaseResult = z.infer<typeof phaseResultSchema>;

export const jobResultSchema = z.object({
  jobId: z.string(),
  workflowId: z.string(),
  status: z.enum(['succeeded', 'failed', 'cancelled', 'rejected']),
  /** `helix/<job>` in the user's repository; null when nothing was published (see `reason`) or the source is remote (see `patch`). */
  branch: z.string().nullable(),
  /** Blob hash of the patch from the source to the result; null when nothing changed. */
  patch: z.string().nullable(),
  snapshot: snapshotIdSchema.nullable(),
  checkpoints: z.array(checkpointSchema),
  phases: z.partialRecord(modeSchema, phaseResultSchema),
  tests: testCountsSchema,
  steps: stepCountsSchema,
  spending: spendingSchema.optional(),
  durationMs: z.number().int(),
  /** Why the job did not succeed: a code of `contracts/error.ts` and a sentence. */
  reason: z.object({ code: z.string(), message: z.string() }).optional(),
});
export type JobResult = z.infer<typeof jobResultSchema>;

/** A job as the API shows it: a projection of its workflow. */
export const jobViewSchema = z.object({
  jobId: z.string(),
  workflowId: z.string(),
  project: projectIdSchema,
  request: jobRequestSchema,
  status: jobStatusSchema,
  phase: z.union([z.literal('source'), modeSchema, z.literal('publishing')]).nullable(),
  checkpoints: z.array(checkpointSchema),
  /** Parts of the goal that agents carry out on their own; empty where one agent does it all. */
  items: z.array(workItemViewSchema),
  result: jobResultSchema.nullable(),
  /** Address of the job in the Temporal Web UI; null when none is known. */
  webUrl: z.string().nullable(),
  lastSeq: z.number().int(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
});
export type JobView = z.infer<typeof jobViewSchema>;

/** A step as the API shows it. `number` counts from 1 within the job in the order of first start. */
export const stepViewSchema = z.object({
  number: z.number().int(),
  executionId: z.string(),
  taskId: z.string(),
  title: z.string(),
  phase: modeSchema,
  state: z.enum(['waiting', 'running', 'succeeded', 'failed', 'cancelled']),
  node: z.string().nullable(),
  attempt: z.number().int(),
  cached: z.boolean(),
  exitCode: z.number().int().nullable(),
  end: z.string().nullable(),
  logBytes: z.number().int(),
  durationMs: z.number().int().nullable(),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime().nullable(),
});
export type StepView = z.infer<typeof stepViewSchema>;

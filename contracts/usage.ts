import { z } from 'zod';
import { jobIdSchema } from './job.ts';

/** `agent`: each turn of an agent by itself. `call`: each call by itself, of one job. `day`: by UTC. */
export const usageGroupSchema = z.enum(['model', 'provider', 'project', 'job', 'agent', 'call', 'user', 'day']);
export type UsageGroup = z.infer<typeof usageGroupSchema>;

const counts = {
  /** Calls that were answered. */
  calls: z.number().int(),
  /** Calls that were sent and never answered: they count with all that they could have cost. */
  lostCalls: z.number().int(),
  inputTokens: z.number().int(),
  outputTokens: z.number().int(),
  /** Of the input. */
  cacheReadTokens: z.number().int(),
  /** In US dollars, of the calls whose price is known. */
  usd: z.number(),
  /** Answered calls whose price is not known. */
  unpricedCalls: z.number().int(),
};

export const usageTotalSchema = z.object(counts);
export type UsageTotal = z.infer<typeof usageTotalSchema>;

/** `title` says what a key stands for where it does not say it itself: the source of a project, the goal of a job, the work of an agent, the model of a call. */
export const usageRowSchema = z.object({ key: z.string(), title: z.string().nullable(), ...counts });
export type UsageRow = z.infer<typeof usageRowSchema>;

/** What calls of language models took, the dearest row first, calls and days in their order. */
export const usageSchema = z.object({ rows: z.array(usageRowSchema), total: usageTotalSchema });
export type UsageReport = z.infer<typeof usageSchema>;

export const usageQuerySchema = z
  .strictObject({
    by: usageGroupSchema.default('model'),
    /** Calls begun from then on. */
    since: z.iso.datetime({ offset: true }).optional(),
    /** Of one job alone. */
    job: jobIdSchema.optional(),
  })
  .refine(({ by, job }) => by !== 'call' || job !== undefined, {
    path: ['job'],
    error: 'single calls are those of one job: say of which',
  });
export type UsageQuery = z.input<typeof usageQuerySchema>;

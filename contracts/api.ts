// What the REST API answers, where it is more than a contract of its own.
import { z } from 'zod';
import { jobEventSchema } from './event.ts';
import { jobIdSchema, jobViewSchema, stepViewSchema } from './job.ts';
import { nodeRecordSchema } from './node.ts';

export const startedJobSchema = z.object({ jobId: jobIdSchema, workflowId: z.string(), created: z.boolean() });
export type StartedJob = z.infer<typeof startedJobSchema>;

/** Newest first; `next` is the cursor of the page after this one, null on the last. */
export const jobPageSchema = z.object({ jobs: z.array(jobViewSchema), next: z.string().nullable() });
export type JobPage = z.infer<typeof jobPageSchema>;

export const eventPageSchema = z.object({ events: z.array(jobEventSchema) });
export const stepListSchema = z.object({ steps: z.array(stepViewSchema) });
export const nodeListSchema = z.object({ nodes: z.array(nodeRecordSchema) });

/** Problem details as in RFC 9457, with the code of `contracts/error.ts` and, for a bad request, each field at fault. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  code: z.string(),
  details: z.record(z.string(), z.unknown()).optional(),
  errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
});
export type Problem = z.infer<typeof problemSchema>;

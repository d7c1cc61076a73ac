// What the REST API answers, where it is more than a contract of its own.
import { z } from 'zod';
import { modelNameSchema } from './agent.ts';
import { jobEventSchema } from './event.ts';
import { jobIdSchema, jobViewSchema, stepViewSchema } from './job.ts';
import { modelInfoSchema, stopReasonSchema, usageSchema } from './llm.ts';
import { nodeEventSchema, nodeMetricsSchema, nodeRecordSchema, nodeTokenSchema } from './node.ts';

export const startedJobSchema = z.object({ jobId: jobIdSchema, workflowId: z.string(), created: z.boolean() });
export type StartedJob = z.infer<typeof startedJobSchema>;

/** Newest first; `next` is the cursor of the page after this one, null on the last. */
export const jobPageSchema = z.object({ jobs: z.array(jobViewSchema), next: z.string().nullable() });
export type JobPage = z.infer<typeof jobPageSchema>;

export const eventPageSchema = z.object({ events: z.array(jobEventSchema) });
export const stepListSchema = z.object({ steps: z.array(stepViewSchema) });
export const nodeListSchema = z.object({ nodes: z.array(nodeRecordSchema) });
export const nodeTokenListSchema = z.object({ tokens: z.array(nodeTokenSchema) });
export const nodeEventListSchema = z.object({ events: z.array(nodeEventSchema) });
export const nodeMetricsListSchema = z.object({ metrics: z.array(nodeMetricsSchema) });

/**
 * `configured` says whether there is a key or an address; `reason` why its models cannot be listed. A provider with a `circuit` failed so many times in a row
 * and is not asked before `until`, when one call is let through.
 */
export const providerViewSchema = z.object({
  name: z.string(),
  configured: z.boolean(),
  reason: z.string().optional(),
  circuit: z.object({ failures: z.number().int(), until: z.iso.datetime(), reason: z.string() }).optional(),
  models: z.array(modelInfoSchema),
});
export const modelListSchema = z.object({ default: z.string().nullable(), providers: z.array(providerViewSchema) });
export type ModelList = z.infer<typeof modelListSchema>;

export const modelTestSchema = z.strictObject({
  model: modelNameSchema,
  prompt: z.string().min(1).max(1_000_000),
  maxTokens: z.number().int().positive().optional(),
});
export type ModelTest = z.infer<typeof modelTestSchema>;

/** One line of the answer to a test, as it comes: pieces of text and thinking, then the end of it. */
export const modelTestEventSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({ type: z.literal('thinking'), text: z.string() }),
  z.object({
    type: z.literal('finish'),
    model: z.string(),
    stopReason: stopReasonSchema,
    usage: usageSchema,
    usd: z.number().nullable(),
    firstTokenMs: z.number().int().nullable(),
    durationMs: z.number().int(),
  }),
  z.object({ type: z.literal('error'), code: z.string(), message: z.string() }),
]);
export type ModelTestEvent = z.infer<typeof modelTestEventSchema>;

export const loginRequestSchema = z.strictObject({ provider: z.enum(['qwen', 'copilot']) });
export type LoginRequest = z.infer<typeof loginRequestSchema>;

/** One line of a login: what the user has to do in a browser, then that it is done. */
export const loginEventSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('code'),
    userCode: z.string(),
    address: z.string(),
    /** The address with the code in it. */
    completeAddress: z.string().optional(),
    expiresAt: z.iso.datetime(),
  }),
  z.object({ type: z.literal('done'), provider: z.string() }),
  z.object({ type: z.literal('error'), code: z.string(), message: z.string() }),
]);
export type LoginEvent = z.infer<typeof loginEventSchema>;

/** One line of a model's answer as it comes. */
export const answerPieceSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({ type: z.literal('thinking'), text: z.string() }),
  z.object({ type: z.literal('tool-call'), id: z.string(), name: z.string() }),
  z.object({ type: z.literal('tool-arguments'), id: z.string(), text: z.string() }),
  /** The call was lost with its process and is made again: what follows replaces what came before. */
  z.object({ type: z.literal('restarted'), attempt: z.number().int() }),
]);
export type AnswerPiece = z.infer<typeof answerPieceSchema>;

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

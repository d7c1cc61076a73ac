import { z } from 'zod';
import { spendingSchema } from './agent.ts';
import { workItemViewSchema } from './plan.ts';
import { checkpointSchema, jobResultSchema, modeSchema, phaseResultSchema } from './job.ts';
import { strategySchema } from './reasoning.ts';

const step = { executionId: z.string(), taskId: z.string(), phase: modeSchema, title: z.string() };

/** Which agent at which work; `turn` is its workflow. */
const turn = { turn: z.string(), title: z.string() };

/** Which step of its reasoning the agent takes with a call; absent when it is just asked. */
const reasoningStep = z.string().optional();

/** What happens in a job, as its log records it. */
export const jobEventDataSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('job.started'), goal: z.string(), location: z.string() }),
  z.object({ type: z.literal('job.waiting-for-approval'), plan: z.string() }),
  z.object({ type: z.literal('job.approved') }),
  z.object({ type: z.literal('job.rejected'), reason: z.string() }),
  z.object({ type: z.literal('job.paused') }),
  z.object({ type: z.literal('job.resumed') }),
  z.object({ type: z.literal('job.cancelling') }),
  z.object({ type: z.literal('job.rolled-back'), checkpoint: checkpointSchema }),
  z.object({ type: z.literal('job.finished'), result: jobResultSchema }),
  z.object({ type: z.literal('phase.started'), phase: modeSchema }),
  z.object({ type: z.literal('phase.finished'), phase: modeSchema, result: phaseResultSchema }),
  z.object({ type: z.literal('checkpoint.recorded'), checkpoint: checkpointSchema }),
  /** Work items are planned, or in another state. */
  z.object({ type: z.literal('items.changed'), items: z.array(workItemViewSchema) }),
  /** No healthy node of the step's class is known; the step waits until `deadline`. */
  z.object({ type: z.literal('step.waiting'), ...step, class: z.string(), deadline: z.iso.datetime() }),
  z.object({
    type: z.literal('step.started'),
    ...step,
    node: z.string(),
    attempt: z.number().int(),
    /** For its node, since a node-pool took it up. */
    waitedMs: z.number().int().optional(),
    /** Why that node, in a few words. */
    why: z.string().optional(),
  }),
  z.object({
    type: z.literal('step.finished'),
    ...step,
    node: z.string(),
    cached: z.boolean(),
    end: z.string(),
    exitCode: z.number().int().nullable(),
    durationMs: z.number().int(),
    logBytes: z.number().int(),
  }),
  /** The step's node was lost or its connection broke for good; it is tried again. */
  z.object({ type: z.literal('step.interrupted'), ...step, node: z.string().nullable(), reason: z.string() }),
  /** A model is asked; what it says can be followed by the id of the call. */
  z.object({
    type: z.literal('model.asked'),
    ...turn,
    callId: z.string(),
    model: z.string(),
    attempt: z.number().int(),
    step: reasoningStep,
  }),
  /** A model has answered. `text` is the beginning of what it said; tokens and dollars are those of the call. */
  z.object({
    type: z.literal('model.answered'),
    ...turn,
    callId: z.string(),
    model: z.string(),
    text: z.string(),
    inputTokens: z.number().int(),
    outputTokens: z.number().int(),
    cacheReadTokens: z.number().int(),
    usd: z.number().nullable(),
    durationMs: z.number().int(),
    step: reasoningStep,
  }),
  /** How the agent goes about its work, where it is not just asked: `reason` says why, in a few words. */
  z.object({ type: z.literal('reasoning.chosen'), ...turn, strategy: strategySchema, reason: z.string() }),
  /** A step of the agent's reasoning is done: `Approach 2.1`, `score 7 of 10: simple`. */
  z.object({
    type: z.literal('reasoning.step'),
    ...turn,
    strategy: strategySchema,
    step: z.string(),
    outcome: z.string(),
  }),
  /** The agent has used a tool: one line for people. */
  z.object({ type: z.literal('tool.called'), ...turn, tool: z.string(), summary: z.string(), isError: z.boolean() }),
  /** The agent needs a decision or an answer; `choices` are what it suggests. */
  z.object({
    type: z.literal('agent.asks'),
    ...turn,
    callId: z.string(),
    kind: z.enum(['approval', 'question']),
    text: z.string(),
    /** Of an approval. */
    tool: z.string().optional(),
    choices: z.array(z.string()),
  }),
  /** A provider's limit: the agent goes on at `until`. */
  z.object({ type: z.literal('agent.limited'), ...turn, reason: z.string(), until: z.iso.datetime() }),
  /** The budget is used up: the agent goes on when it is raised. */
  z.object({ type: z.literal('agent.out-of-budget'), ...turn, reason: z.string() }),
  /** A message of a chat is taken up; `text` is its beginning. */
  z.object({ type: z.literal('chat.asked'), messageId: z.string(), text: z.string() }),
  /** The chat waits for the next message. `text` is the beginning of the last words, or why it failed; `checkpoint` what the message led to. */
  z.object({
    type: z.literal('chat.answered'),
    messageId: z.string(),
    status: z.enum(['done', 'limit', 'stopped', 'refused', 'failed']),
    text: z.string(),
    checkpoint: z.string(),
    spending: spendingSchema,
  }),
  z.object({ type: z.literal('note'), level: z.enum(['info', 'warning', 'error']), message: z.string() }),
]);
export type JobEventData = z.infer<typeof jobEventDataSchema>;

/** An event as stored and streamed: `seq` counts from 1 within the job, without gaps. */
export const jobEventSchema = z.object({
  jobId: z.string(),
  seq: z.number().int().positive(),
  at: z.iso.datetime(),
  data: jobEventDataSchema,
});
export type JobEvent = z.infer<typeof jobEventSchema>;

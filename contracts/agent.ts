import { z } from 'zod';
import { attachmentsSchema } from './attachment.ts';
import type { AssistantPart, Message, Usage } from './llm.ts';
import type { SnapshotId } from './snapshot.ts';
import { expandBraces, mostAlternatives } from './expand-braces.ts';
import type { Command } from './step.ts';

/**
 * What an agent may do without asking.
 * `plan`: read only, nothing is changed or run. `ask`: every change and command is asked for. `accept-edits`: files may be edited, commands are
 * asked for. `auto`: files may be edited and commands run, the network and what no rule knows is asked for. `full`: everything.
 * Rules come first; a `deny` among them holds in every mode.
 */
export const permissionModeSchema = z.enum(['plan', 'ask', 'accept-edits', 'auto', 'full']);
export type PermissionMode = z.infer<typeof permissionModeSchema>;

/** Every member that is given has to match; globs, where `**` crosses `/` in paths and `*` anything in commands, names and hosts. */
export const permissionRuleSchema = z.strictObject({
  decision: z.enum(['allow', 'ask', 'deny']),
  /** Name of the tool. */
  tool: z.string().min(1).optional(),
  /** What it does, by whichever tool or command: a file that a command writes is an edit. */
  kind: z.enum(['read', 'edit', 'run', 'network']).optional(),
  /** Workspace-relative path. */
  path: z
    .string()
    .min(1)
    .refine((glob) => expandBraces(glob) !== undefined, `has more than ${mostAlternatives} alternatives`)
    .optional(),
  /** The whole shell command, and each simple command in it: `deny` matches when one does, `allow` only when all do. */
  command: z.string().min(1).optional(),
  /** Host name, of a page to fetch. */
  host: z.string().min(1).optional(),
});
export type PermissionRule = z.infer<typeof permissionRuleSchema>;

export const permissionsSchema = z.strictObject({
  mode: permissionModeSchema.default('auto'),
  /** The last that matches decides, except that any `deny` that matches wins. */
  rules: z.array(permissionRuleSchema).default([]),
});
export type Permissions = z.infer<typeof permissionsSchema>;

/** What may be spent. Left out: no limit. A job that reaches one pauses until it is raised. */
export const budgetSchema = z.strictObject({
  usd: z.number().positive('a budget has to be more than zero: without one there is no limit').optional(),
  tokens: z.number().int().positive('a budget has to be more than zero: without one there is no limit').optional(),
  minutes: z.number().positive('a budget has to be more than zero: without one there is no limit').optional(),
});
export type Budget = z.infer<typeof budgetSchema>;

/** What was spent on models. A call whose price is not known counts with its tokens alone. */
export const spendingSchema = z.object({
  calls: z.number().int().nonnegative(),
  inputTokens: z.number().int().nonnegative(),
  outputTokens: z.number().int().nonnegative(),
  cacheReadTokens: z.number().int().nonnegative(),
  usd: z.number().nonnegative(),
  /** Time in which models and commands worked, each agent's by itself; waiting for people or providers does not count. */
  activeMs: z.number().nonnegative().optional(),
});
export type Spending = z.infer<typeof spendingSchema>;

/** `provider/model`: the provider's name, then the model as the provider names it. */
export const modelNameSchema = z
  .string()
  .regex(/^[a-z][a-z0-9-]*\/.+$/, 'a model is named provider/model, e.g. anthropic/claude-sonnet-4-5');

/** A model by its name, or `auto`: HelixCode takes one. */
export const modelWishSchema = z.union([z.literal('auto'), modelNameSchema], {
  error: 'a model is named provider/model, e.g. anthropic/claude-sonnet-4-5, or auto',
});

/** Where several agents work at once: the id of a work item, or the name of an agent as errors list them. All of them when left out. */
const whichAgent = { agent: z.string().min(1).max(200).optional() };

/** What a user says to the agent of a job while it works. The first decision and the first answer on a call count. */
export const agentMessageSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('decide'),
    callId: z.string().min(1),
    allowed: z.boolean(),
    reason: z.string().max(10_000).optional(),
    /** What is not to be asked for again in this turn. */
    always: permissionRuleSchema.optional(),
    ...whichAgent,
  }),
  z.strictObject({
    type: z.literal('answer'),
    callId: z.string().min(1),
    answer: z.string().max(100_000),
    ...whichAgent,
  }),
  /** Divided among the agents that have used theirs up; where none has, among all. */
  z.strictObject({ type: z.literal('raise-budget'), by: budgetSchema, ...whichAgent }),
  z.strictObject({
    type: z.literal('steer'),
    text: z.string().min(1).max(100_000),
    attachments: attachmentsSchema.optional(),
    ...whichAgent,
  }),
  z.strictObject({ type: z.literal('stop'), ...whichAgent }),
]);
export type AgentMessage = z.infer<typeof agentMessageSchema>;

/** One message of a conversation, stored by its hash; `parent` is the hash of the one before it. */
export interface ConversationEntry {
  parent: string | null;
  message: Message;
  /** The workspace after this message: undoing to a message means going back to both. */
  snapshot: SnapshotId;
  at: string;
  /** Of the model call that made it. */
  call?: { model: string; usage: Usage; costUsd: number | null };
}

/** A tool call that the agent cannot go on without someone else. */
export type PendingCall =
  /** The user has to allow it. `summary` is one line, e.g. `run npm publish`. */
  | { type: 'approval'; callId: string; tool: string; summary: string }
  /** The user has to answer. */
  | { type: 'question'; callId: string; question: string; choices: string[] }
  /** A command has to run on a node, on the snapshot of now. */
  | { type: 'step'; callId: string; title: string; command: Command; timeoutMs?: number }
  /** A page has to be fetched by whoever may reach the outside. */
  | { type: 'fetch'; callId: string; url: string }
  /** Another agent has to do a part. */
  | { type: 'delegate'; callId: string; title: string; prompt: string };

/** What came of a pending call. */
export type CallOutcome = { callId: string } & (
  | { type: 'approval'; allowed: boolean; reason?: string }
  | { type: 'question'; answer: string }
  /** `log` is a blob hash. */
  | { type: 'step'; end: string; exitCode: number | null; snapshot: SnapshotId; log?: string; message?: string }
  | { type: 'fetch'; status: number; mediaType: string; body: string; error?: string }
  | { type: 'delegate'; succeeded: boolean; answer: string; snapshot: SnapshotId }
);

/** Where an agent's tools are with the calls of the last assistant message. All hashes are blobs. */
export interface ToolsInput {
  /** Head of the conversation: the assistant message whose calls are to be answered. */
  head: string;
  snapshot: SnapshotId;
  permissions: Permissions;
  /** Names of the tools this agent has. */
  tools: string[];
  /** Results so far of this message's calls; null before the first. */
  progress: string | null;
  /** Of the call that was pending. */
  outcome?: CallOutcome;
}

export type ToolsOutput = { snapshot: SnapshotId } &
  /** All calls are answered; `head` is the conversation with their results. */
  /** `work`: blob hash of the work items that were proposed. */
  (
    | { done: true; head: string; calls: ToolCallSummary[]; plan?: PlanItem[]; work?: string }
    | { done: false; progress: string; pending: PendingCall }
  );

/** One line for people: `edit src/a.ts`, `run npm test: exit code 1`. */
export interface ToolCallSummary {
  callId: string;
  tool: string;
  summary: string;
  isError: boolean;
}

/** The agent's own list of what it has to do. */
export interface PlanItem {
  text: string;
  state: 'open' | 'doing' | 'done';
}

export type AssistantCall = Extract<AssistantPart, { type: 'tool-call' }>;

import { z } from 'zod';
import type { BlobStore } from '../../blobs/blob-store.ts';
import type { CallOutcome, PendingCall, Permissions, PlanItem } from '../../contracts/agent.ts';
import type { ImagePart, JsonValue, TextPart } from '../../contracts/llm.ts';
import type { SnapshotId } from '../../contracts/snapshot.ts';
import type { Command } from '../../contracts/step.ts';
import type { SnapshotStore } from '../../snapshots/store.ts';
import type { PermissionSubject } from '../permissions.ts';

/** What a tool works with: everything is read from the snapshot of now. */
export interface ToolContext {
  store: SnapshotStore;
  blobs: BlobStore;
  snapshot: SnapshotId;
  permissions: Permissions;
  /** The repository on this machine the work began with, and the commit; null for one that is elsewhere. */
  source: { location: string; commit: string | null } | null;
  /** The project's own test command, where its plan has one. */
  testCommand: Command | undefined;
}

export interface ToolResult {
  content: (TextPart | ImagePart)[];
  isError?: boolean;
  /** The workspace afterwards, when it changed. */
  snapshot?: SnapshotId;
  plan?: PlanItem[];
  /** Blob hash of the work items that it proposed. */
  work?: string;
  /** Behind the call's summary, for people: `exit code 1`. */
  note?: string;
}

/** A pending call without the id of the call. */
export type PendingWork = PendingCall extends infer One
  ? One extends PendingCall
    ? Omit<One, 'callId'>
    : never
  : never;
export type Outcome = Exclude<CallOutcome, { type: 'approval' }>;

/** What a call would do: `tool` is filled in by whoever asks. */
export type Access = Omit<PermissionSubject, 'tool'>;

export type ToolEnd = { result: ToolResult } | { pending: PendingWork };

/** One tool, its arguments checked by `parameters` before anything else sees them. */
export interface ToolSpec<S extends z.ZodType> {
  name: string;
  /** For the model. */
  description: string;
  parameters: S;
  /** Everything the call would read, change, run or reach; permission is asked for each. */
  accesses(args: z.output<S>, context: ToolContext): Access[] | Promise<Access[]>;
  /** One line for people: `edit src/a.ts`. */
  summary(args: z.output<S>): string;
  /** Throws HelixError for what the model can mend; its message is the model's answer. */
  execute(args: z.output<S>, context: ToolContext): Promise<ToolEnd>;
  /** Makes a result of what came of the pending work. */
  resume?(args: z.output<S>, outcome: Outcome, context: ToolContext): Promise<ToolResult>;
}

/** A tool whose arguments are not known to the type system any more. */
export interface Tool extends Omit<ToolSpec<z.ZodType>, 'accesses' | 'summary' | 'execute' | 'resume'> {
  accesses(args: unknown, context: ToolContext): Promise<Access[]>;
  summary(args: unknown): string;
  execute(args: unknown, context: ToolContext): Promise<ToolEnd>;
  resume(args: unknown, outcome: Outcome, context: ToolContext): Promise<ToolResult>;
  /** JSON Schema of the arguments, for the model. */
  schema: Record<string, JsonValue>;
}

/** Makes a tool. Its arguments must be what its own `parameters` gave. */
export function defineTool<S extends z.ZodType>(spec: ToolSpec<S>): Tool {
  const { $schema: _, ...schema } = z.toJSONSchema(spec.parameters, { io: 'input' }) as Record<string, JsonValue>;
  return {
    name: spec.name,
    description: spec.description,
    parameters: spec.parameters,
    schema,
    accesses: async (args, context) => spec.accesses(args as z.output<S>, context),
    summary: (args) => spec.summary(args as z.output<S>),
    execute: (args, context) => spec.execute(args as z.output<S>, context),
    resume: async (args, outcome, context) => {
      if (!spec.resume) throw new TypeError(`the tool ${spec.name} waits for nobody`);
      return spec.resume(args as z.output<S>, outcome, context);
    },
  };
}

/** A result of text alone. */
export function text(content: string, more: Omit<ToolResult, 'content'> = {}): { result: ToolResult } {
  return { result: { content: [{ type: 'text', text: content }], ...more } };
}

/** A path inside the workspace, as models write it. */
export const pathParameter = z.string().min(1).describe('Path relative to the root of the workspace, with "/"');

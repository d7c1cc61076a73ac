import type { BlobStore } from '../blobs/blob-store.ts';
import type { AssistantCall, CallOutcome, PendingCall, ToolsInput, ToolsOutput } from '../contracts/agent.ts';
import { HelixError } from '../contracts/error.ts';
import type { ErrorCode } from '../contracts/error.ts';
import type { Command } from '../contracts/step.ts';
import type { SnapshotStore } from '../snapshots/store.ts';
import { readProgress, writeProgress } from './call-progress.ts';
import type { CallProgress } from './call-progress.ts';
import { append, loadEntry } from './conversation.ts';
import { undoDenied } from './denied-changes.ts';
import { checkMisfits } from './misfits.ts';
import { limitOutput } from './output-limit.ts';
import { decide, strictest } from './permissions.ts';
import type { PermissionDecision } from './permissions.ts';
import { readArguments } from './tool-arguments.ts';
import type { ToolRegistry } from './tools/registry.ts';
import type { Outcome, Tool, ToolContext, ToolEnd, ToolResult } from './tools/tool.ts';

export interface AnswerDeps {
  store: SnapshotStore;
  blobs: BlobStore;
  registry: ToolRegistry;
  /** The repository on this machine the work began with, and the commit; null for one that is elsewhere. */
  source: { location: string; commit: string | null } | null;
  /** The project's own, where its plan has one. */
  testCommand?: Command | undefined;
  /** ISO 8601: when the results are said to have been given. */
  at: string;
}

/**
 * Answers the calls of a conversation's last message in their order, as far as it can alone. Where somebody else is needed it stops and says who;
 * called again with the outcome it goes on behind that. Every call is held against the permissions, whatever anybody decided before: what is denied
 * is answered with an error, and what the user allowed is allowed for that one call.
 *
 * Safe to repeat: the same input gives the same output. Throws HelixError when the conversation, the progress or the snapshot cannot be read, or
 * the outcome is not that of the call that waits, and `llm.unsupported` when the model goes on calling tools wrongly; what it can mend is told to the
 * model.
 */
export async function answerCalls(deps: AnswerDeps, input: ToolsInput): Promise<ToolsOutput> {
  const { message } = await loadEntry(deps.blobs, input.head);
  if (message.role !== 'assistant') {
    throw new HelixError('internal', `message ${input.head} is of the role ${message.role}: it has no calls to answer`);
  }
  const calls = message.content.filter((part): part is AssistantCall => part.type === 'tool-call');
  const progress = await readProgress(deps.blobs, input);
  let outcome = input.outcome;
  if (outcome) checkOutcome(progress, calls[progress.results.length], outcome);
  for (const call of calls.slice(progress.results.length)) {
    const pending = await answer(deps, input, progress, call, outcome);
    if (pending) {
      progress.waitsFor = pending.type;
      return { done: false, snapshot: progress.snapshot, progress: await writeProgress(deps.blobs, progress), pending };
    }
    outcome = undefined;
  }
  const { snapshot, plan, work, results } = progress;
  const head =
    results.length === 0
      ? input.head
      : await append(deps.blobs, {
          parent: input.head,
          message: { role: 'tool', content: results },
          snapshot,
          at: deps.at,
        });
  await checkMisfits(deps.blobs, results, head);
  return { done: true, snapshot, head, calls: progress.calls, ...(plan ? { plan } : {}), ...(work ? { work } : {}) };
}

function checkOutcome(progress: CallProgress, call: AssistantCall | undefined, outcome: CallOutcome): void {
  if (call?.id === outcome.callId && progress.waitsFor === outcome.type) return;
  const waiting = call && progress.waitsFor ? `${progress.waitsFor} of ${call.id}` : 'nothing';
  throw new HelixError('internal', `an ${outcome.type} of ${outcome.callId} was given, but ${waiting} is waited for`);
}

/** Brings one call as far as it goes: its result is in the progress, or what it waits for is returned. */
async function answer(
  deps: AnswerDeps,
  { permissions, tools }: ToolsInput,
  progress: CallProgress,
  call: AssistantCall,
  outcome: CallOutcome | undefined,
): Promise<PendingCall | undefined> {
  const { store, blobs, source, testCommand, registry } = deps;
  const tool = tools.includes(call.name) ? registry.get(call.name) : undefined;
  const finish = (summary: string, result: ToolResult): Promise<void> => record(deps, progress, call, summary, result);
  if (!tool) {
    await finish(
      call.name,
      failure(`There is no tool "${call.name}". The tools are: ${tools.join(', ')}.`, 'no such tool'),
    );
    return undefined;
  }
  const read = readArguments(tool, call.arguments);
  if ('problem' in read) {
    await finish(call.name, failure(read.problem, 'wrong arguments'));
    return undefined;
  }
  const { args } = read;
  const summary = tool.summary(args);
  const { snapshot } = progress;
  const context: ToolContext = { store, blobs, snapshot, permissions, source, testCommand };

  if (outcome && outcome.type !== 'approval') {
    await finish(summary, await resume(tool, args, outcome, context));
    return undefined;
  }
  if (outcome && !outcome.allowed) {
    await finish(
      summary,
      failure(`The user did not allow this${outcome.reason ? `: ${outcome.reason}` : '.'}`, 'not allowed'),
    );
    return undefined;
  }
  if (outcome) progress.isApproved = true;
  const { decision, reason } = await permission(tool, args, context);
  if (decision === 'deny') {
    await finish(summary, failure(`Not permitted: ${reason}. Do without it; do not try to get around it.`, 'denied'));
    return undefined;
  }
  if (decision === 'ask' && !progress.isApproved) {
    const why = reason.startsWith('permission mode') ? '' : ` (${reason})`;
    return { type: 'approval', callId: call.id, tool: tool.name, summary: oneLine(`${summary}${why}`, 8_000) };
  }
  const end = await guarded(() => tool.execute(args, context));
  if ('pending' in end) return { ...end.pending, callId: call.id };
  await finish(summary, end.result);
  return undefined;
}

async function permission(tool: Tool, args: unknown, context: ToolContext): Promise<PermissionDecision> {
  const accesses = await tool.accesses(args, context);
  return strictest(accesses.map((access) => decide(context.permissions, { ...access, tool: tool.name })));
}

async function resume(tool: Tool, args: unknown, outcome: Outcome, context: ToolContext): Promise<ToolResult> {
  const result = await tool.resume(args, outcome, context);
  if (result.snapshot === undefined) return result;
  const { store, permissions } = context;
  const { snapshot, undone } = await undoDenied(store, permissions, tool.name, context.snapshot, result.snapshot);
  if (undone.length === 0) return result;
  const paths = undone.slice(0, 20).map(({ path }) => path);
  const text = `Not permitted, and undone: changes of ${paths.join(', ')}${undone.length > 20 ? ' and others' : ''}. All other changes were kept.`;
  return { ...result, snapshot, content: [{ type: 'text', text }, ...result.content] };
}

// What a model can mend by another call. Everything else is no answer to it, but a fault of ours or of the machine.
const forTheModel: ReadonlySet<ErrorCode> = new Set([
  'usage.invalid',
  'source.ref-not-found',
  'source.not-a-repository',
  'source.unreadable',
]);

async function guarded(work: () => Promise<ToolEnd>): Promise<ToolEnd> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof HelixError && forTheModel.has(error.code)) return { result: failure(error.message) };
    throw error;
  }
}

async function record(
  { blobs }: AnswerDeps,
  progress: CallProgress,
  call: AssistantCall,
  summary: string,
  end: ToolResult,
): Promise<void> {
  const { isError = false, note } = end;
  const content = await limitOutput(blobs, end.content);
  progress.results.push({ type: 'tool-result', callId: call.id, name: call.name, content, isError });
  const told = note ?? (isError ? 'failed' : undefined);
  progress.calls.push({
    callId: call.id,
    tool: call.name,
    summary: oneLine(told === undefined ? summary : `${oneLine(summary, 160)}: ${told}`, 240),
    isError,
  });
  if (end.snapshot !== undefined) progress.snapshot = end.snapshot;
  if (end.plan) progress.plan = end.plan;
  if (end.work) progress.work = end.work;
  progress.isApproved = false;
  delete progress.waitsFor;
}

function failure(text: string, note?: string): ToolResult {
  return { content: [{ type: 'text', text }], isError: true, ...(note ? { note } : {}) };
}

/** One line in which nothing is hidden: line breaks are shown, what reorders or overwrites text is left out. */
function oneLine(text: string, limit: number): string {
  const line = text
    .trim()
    .replace(/\s*\n\s*/g, ' ⏎ ')
    .replace(/[\p{Cc}\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+/gu, ' ')
    .replace(/ {2,}/g, ' ');
  if (line.length <= limit) return line;
  const half = Math.floor(limit / 2) - 20;
  return `${line.slice(0, half)} … (${line.length} characters) … ${line.slice(-half)}`;
}

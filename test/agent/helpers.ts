import { answerCalls } from '../../agent/answer-calls.ts';
import type { AnswerDeps } from '../../agent/answer-calls.ts';
import { append, loadEntry } from '../../agent/conversation.ts';
import { createToolRegistry } from '../../agent/tools/registry.ts';
import { createBlobStore } from '../../blobs/blob-store.ts';
import type { CallOutcome, PendingCall, Permissions, ToolsOutput } from '../../contracts/agent.ts';
import type { JsonValue, ToolResultPart } from '../../contracts/llm.ts';
import { editSnapshot } from '../../snapshots/edit.ts';
import { emptyTree, wrapSnapshot } from '../../snapshots/objects.ts';
import { openStore } from '../../snapshots/store.ts';
import { withTempDir } from '../support/temp-dir.ts';

export const at = '2026-01-01T00:00:00.000Z';
export const allowAll: Permissions = { mode: 'full', rules: [] };

export type Call = [tool: string, args: JsonValue];

/** What somebody else makes of a pending call; its id is filled in. */
type Reply = CallOutcome extends infer One ? (One extends CallOutcome ? Omit<One, 'callId'> : never) : never;
export type Responder = (pending: PendingCall, snapshot: string) => Reply | Promise<Reply>;

export interface Answered {
  results: ToolResultPart[];
  /** The text of each result. */
  texts: string[];
  pendings: PendingCall[];
  snapshot: string;
  output: Extract<ToolsOutput, { done: true }>;
}

export class AgentBench {
  readonly deps: AnswerDeps;
  readonly dir: string;
  snapshot: string;

  constructor(deps: AnswerDeps, dir: string, snapshot: string) {
    this.deps = deps;
    this.dir = dir;
    this.snapshot = snapshot;
  }

  /** The head of a conversation whose last message has the calls. */
  async ask(calls: Call[]): Promise<string> {
    const content = calls.map(([name, args], index) => ({
      type: 'tool-call' as const,
      id: `call-${index}`,
      name,
      arguments: args,
    }));
    const message = { role: 'assistant' as const, content };
    return append(this.deps.blobs, { parent: null, message, snapshot: this.snapshot, at });
  }

  /** Has the calls answered on the workspace of now, which becomes what they make of it. */
  async answer(calls: Call[], permissions: Permissions = allowAll, respond?: Responder): Promise<Answered> {
    const head = await this.ask(calls);
    const input = { head, snapshot: this.snapshot, permissions, tools: this.deps.registry.names, progress: null };
    const pendings: PendingCall[] = [];
    let output = await answerCalls(this.deps, input);
    while (!output.done) {
      const { pending, progress, snapshot } = output;
      pendings.push(pending);
      if (!respond) throw new Error(`nobody is there for ${JSON.stringify(pending)}`);
      const outcome = { ...(await respond(pending, snapshot)), callId: pending.callId };
      output = await answerCalls(this.deps, { ...input, snapshot, progress, outcome });
    }
    this.snapshot = output.snapshot;
    const { message } = await loadEntry(this.deps.blobs, output.head);
    const results = message.role === 'tool' ? message.content : [];
    const texts = results.map(({ content }) =>
      content.map((part) => (part.type === 'text' ? part.text : part.mediaType)).join(),
    );
    return { results, texts, pendings, snapshot: output.snapshot, output };
  }

  async write(files: Record<string, string | Buffer | null>): Promise<string> {
    const changes = Object.entries(files).map(([path, content]) => ({
      path,
      content: content === null ? null : Buffer.from(content),
    }));
    this.snapshot = await editSnapshot(this.deps.store, this.snapshot, changes);
    return this.snapshot;
  }

  async file(path: string): Promise<string | undefined> {
    return (await this.deps.store.read(this.snapshot, path))?.toString();
  }
}

export async function withAgent(
  files: Record<string, string | Buffer>,
  use: (agent: AgentBench) => Promise<void>,
  more: Partial<AnswerDeps> = {},
): Promise<void> {
  await withTempDir(async (dir) => {
    const store = await openStore(`${dir}/store`);
    const blobs = createBlobStore(`${dir}/blobs`);
    const empty = await wrapSnapshot(store.dir, { root: emptyTree, emptyFolders: [] });
    const agent = new AgentBench(
      { store, blobs, registry: createToolRegistry(), source: null, at, ...more },
      dir,
      empty,
    );
    await agent.write(files);
    await use(agent);
  });
}

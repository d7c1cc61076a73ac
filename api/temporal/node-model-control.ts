import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import type { BlobStore } from '../../blobs/blob-store.ts';
import type { StepLogs } from '../../blobs/step-logs.ts';
import { nodeOfModel } from '../../contracts/derived.ts';
import type { LlmRequest, LlmStreamEvent } from '../../contracts/llm.ts';
import type { LocalModel } from '../../contracts/local-model.ts';
import type { NodeModelName, NodeModelPull, NodeModelQuestion } from '../../contracts/node-models.ts';
import type { Progress } from '../../llm/local/progress.ts';
import type { askNodeModel, pullNodeModel, removeNodeModel } from '../../workflows/index.ts';
import { orchestratorTaskQueue } from '../../workflows/task-queues.ts';
import { fromTemporal } from './failures.ts';

/** How often it is looked at how far a pull is, and what a model says. */
const lookMs = 250;
const listenMs = 50;

type Said = Extract<LlmStreamEvent, { type: 'text' | 'thinking' }>;

/** Models on nodes, by the node-pools that hold the connections. */
export class NodeModelControl {
  private readonly client: Client;
  private readonly blobs: BlobStore;
  private readonly logs: StepLogs;

  constructor(client: Client, blobs: BlobStore, logs: StepLogs) {
    this.client = client;
    this.blobs = blobs;
    this.logs = logs;
  }

  /** Tells how far it is. The signal ends it. */
  async *pull(node: string, source: string, signal: AbortSignal): AsyncGenerator<Progress, LocalModel> {
    signal.throwIfAborted();
    const handle = await this.client.workflow.start<typeof pullNodeModel>('pullNodeModel', {
      ...this.options('pull', node),
      args: [{ node, source } satisfies NodeModelPull],
      staticSummary: `pull ${source} to ${node}`.slice(0, 200),
    });
    return yield* this.following(handle, `the pull to ${node}`, signal, lookMs, progressOf(handle));
  }

  async remove(node: string, name: string): Promise<void> {
    const running = this.client.workflow.execute<typeof removeNodeModel>('removeNodeModel', {
      ...this.options('remove', node),
      args: [{ node, name } satisfies NodeModelName],
      staticSummary: `remove ${name} from ${node}`,
    });
    await running.catch((error: unknown) => {
      throw fromTemporal(error, `removing ${name} from ${node}`);
    });
  }

  /** Asks a model one thing, and gives what it says as it comes. The signal ends it. */
  async *generateStream(request: LlmRequest, signal: AbortSignal): AsyncGenerator<LlmStreamEvent> {
    signal.throwIfAborted();
    const node = nodeOfModel(`llamacpp/${request.model}`)!;
    const log = `ask-${randomUUID()}`;
    // Not in the history, where prompts have no place.
    const hash = await this.blobs.put(Buffer.from(JSON.stringify(request)));
    const handle = await this.client.workflow.start<typeof askNodeModel>('askNodeModel', {
      ...this.options('ask', node),
      args: [{ node, request: hash, log } satisfies NodeModelQuestion],
      staticSummary: `ask ${request.model}`,
    });
    const said = new SaidSoFar(this.logs, log);
    let text = '';
    const take = (event: Said): Said => {
      if (event.type === 'text') text += event.text;
      return event;
    };
    const asking = this.following(handle, `llamacpp/${request.model}`, signal, listenMs, () => said.next());
    let next = await asking.next();
    for (; !next.done; next = await asking.next()) yield take(next.value);
    for (let event = await said.next(); event; event = await said.next()) yield take(event);
    const message = { role: 'assistant' as const, content: [{ type: 'text' as const, text }] };
    yield { type: 'finish', response: { provider: 'llamacpp', model: request.model, id: '', message, ...next.value } };
  }

  private options(verb: string, node: string) {
    return { workflowId: `node-${node}/models-${verb}-${randomUUID()}`, taskQueue: orchestratorTaskQueue };
  }

  /** The result of a workflow, and until then what `look` finds. */
  private async *following<T, Result>(
    handle: Pick<WorkflowHandle, 'cancel'> & { result(): Promise<Result> },
    subject: string,
    signal: AbortSignal,
    everyMs: number,
    look: () => Promise<T | undefined>,
  ): AsyncGenerator<T, Result> {
    let isOver = false;
    const result = handle.result().finally(() => (isOver = true));
    result.catch(() => undefined);
    try {
      while (!isOver) {
        const found = await look();
        if (found !== undefined) yield found;
        else await Promise.race([sleep(everyMs, undefined, { signal }), result.catch(() => undefined)]);
        signal.throwIfAborted();
      }
      return await result;
    } catch (error) {
      signal.throwIfAborted();
      throw fromTemporal(error, subject);
    } finally {
      if (!isOver) await handle.cancel().catch(() => undefined);
    }
  }
}

/** What the pull said with its last heartbeat; undefined when that is not new. */
function progressOf(handle: Pick<WorkflowHandle, 'describe'>): () => Promise<Progress | undefined> {
  let told = '';
  return async () => {
    const { raw } = await handle.describe();
    const [payload] = raw.pendingActivities?.[0]?.heartbeatDetails?.payloads ?? [];
    if (!payload) return undefined;
    const progress = defaultPayloadConverter.fromPayload<Progress>(payload);
    const text = JSON.stringify(progress);
    if (text === told) return undefined;
    told = text;
    return progress;
  };
}

/** Reads along what a model says, line by line; an answer that is told anew by a later attempt is given from there on. */
class SaidSoFar {
  private readonly logs: StepLogs;
  private readonly id: string;
  private offset = 0;
  private rest = '';
  private readonly lines: string[] = [];

  constructor(logs: StepLogs, id: string) {
    this.logs = logs;
    this.id = id;
  }

  async next(): Promise<Said | undefined> {
    for (;;) {
      const line = this.lines.shift();
      if (line === undefined) {
        if (!(await this.read())) return undefined;
        continue;
      }
      const event = parsed(line);
      if (event?.type === 'text' || event?.type === 'thinking') return event as Said;
    }
  }

  private async read(): Promise<boolean> {
    const chunk = await this.logs.read(this.id, this.offset, 1 << 20);
    if (chunk.length === 0) {
      // The last line has no line break behind it.
      if (!parsed(this.rest)) return false;
      this.lines.push(this.rest);
      this.rest = '';
      return true;
    }
    this.offset += chunk.length;
    const parts = (this.rest + chunk.toString('utf8')).split('\n');
    this.rest = parts.pop()!;
    this.lines.push(...parts);
    return true;
  }
}

function parsed(line: string): { type?: string } | undefined {
  try {
    return JSON.parse(line) as { type?: string };
  } catch {
    return undefined;
  }
}

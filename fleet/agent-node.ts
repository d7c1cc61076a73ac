import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { NodeFacts } from '../contracts/node.ts';
import type { ProjectId, SnapshotId } from '../contracts/snapshot.ts';
import { exportPack, importPack, lackingOf, presentOf } from '../snapshots/transport.ts';
import type { SnapshotStore } from '../snapshots/store.ts';
import type { ExecuteEvent, ExecuteRequest, FetchRequest, PackOffer } from './agent/protocol.ts';
import { DETACH, type ExecuteOptions, type ExecutionOutcome, type FleetNode } from './fleet-node.ts';
import { askForBeat, type Beat, type LinkState, type NodeLink } from './node-link.ts';
import { isSnapshotMissing } from './missing-snapshot.ts';
import { type NodeProgram, openProgram, type RunningProgram } from './node-program.ts';
import { probeAgent } from './probe.ts';
import type { RpcChannel } from './wire/channel.ts';
import type { RpcCall, RpcConnection } from './wire/connection.ts';

const defaultLogLimit = 64 * 1024 * 1024;

export interface AgentNodeOptions {
  name: string;
  facts: NodeFacts;
  link: NodeLink;
  stores: (project: ProjectId) => Promise<SnapshotStore>;
  /** The agent works in the controller's own stores: nothing is ever sent. */
  sharesStores: boolean;
}

/** A node as the controller sees it: calls to the agent, and the exchange of snapshots around them. */
export class AgentNode implements FleetNode {
  readonly name: string;
  readonly #options: AgentNodeOptions;
  readonly #controller = randomUUID();
  #facts: NodeFacts;

  constructor(options: AgentNodeOptions) {
    this.name = options.name;
    this.#options = options;
    this.#facts = options.facts;
  }

  get facts(): NodeFacts {
    return this.#facts;
  }

  async probe(): Promise<NodeFacts> {
    this.#facts = await this.#options.link.use((connection) => probeAgent(connection, this.name));
    return this.#facts;
  }

  onStateChange(listener: (state: LinkState) => void): () => void {
    return this.#options.link.onStateChange(listener);
  }

  onBeat(listener: (beat: Beat) => void): () => void {
    return this.#options.link.onBeat(listener);
  }

  examine(): Promise<void> {
    return this.#options.link.use((connection) => connection.call<void>('examine'));
  }

  beat(): Promise<Beat> {
    return this.#options.link.use(askForBeat);
  }

  openProgram(program: NodeProgram): Promise<RunningProgram> {
    return openProgram(this.#options.link, this.name, program);
  }

  purge(): Promise<string[]> {
    return this.#options.link.use((connection) => connection.call<string[]>('purge'));
  }

  async close(): Promise<void> {
    this.#options.link.close();
  }

  async release(executionId: string): Promise<void> {
    await this.#options.link.use((connection) => connection.call('release', { executionId }));
  }

  async execute(options: ExecuteOptions): Promise<ExecutionOutcome> {
    const { spec, executionId } = options;
    const store = await this.#options.stores(spec.project);
    const attempt = { logOffset: options.logOffset, claimed: false };
    const detached = detachSignal(options.signal);
    const outcome = await this.#options.link.use(async (connection) => {
      detached.throwIfAborted();
      return this.#attach(connection, store, options, attempt, detached).catch((error: unknown) => {
        if (!isSnapshotMissing(error) || detached.aborted) throw error;
        // The node has lost what it said it had. Nothing has run, and it knows by now what to ask for.
        return this.#attach(connection, store, options, attempt, detached);
      });
    }, detached);
    await this.#fetchResult(store, executionId, spec.project, [spec.snapshot, ...spec.inputs], outcome);
    return outcome;
  }

  /** One call of `execute` on one connection. `attempt` carries over to the next what has been delivered. */
  async #attach(
    connection: RpcConnection,
    store: SnapshotStore,
    options: ExecuteOptions,
    attempt: { logOffset: number; claimed: boolean },
    detached: AbortSignal,
  ): Promise<ExecutionOutcome> {
    const { executionId, spec, signal } = options;
    const request: ExecuteRequest = {
      executionId,
      spec,
      logOffset: attempt.logOffset,
      logLimitBytes: options.logLimitBytes ?? defaultLogLimit,
      attachOnly: options.attachOnly ?? false,
      cancelled: signal.aborted,
      controller: this.#controller,
      again: attempt.claimed,
      ...(this.#options.sharesStores ? { sharedStore: store.dir } : {}),
    };
    const call = connection.open<ExecutionOutcome>('execute', request);
    let sending: Promise<void> = Promise.resolve();
    const failed = Promise.withResolvers<never>();
    call.channel.onEvent((event: ExecuteEvent) => {
      if (event.type === 'need') {
        sending = this.#sendPack(call.channel, store, event.ids, event.known);
        sending.catch(failed.reject);
      } else if (!attempt.claimed) {
        attempt.claimed = true;
        options.onStarted?.();
      }
    });
    const cancel = (): void => void connection.call('cancel', { executionId }).catch(() => {});
    const detach = (): void => failed.reject(DETACH);
    if (detached.aborted) detach();
    else if (!signal.aborted) signal.addEventListener('abort', () => !detached.aborted && cancel(), { once: true });
    detached.addEventListener('abort', detach, { once: true });
    try {
      const delivered = deliverLog(call, options.onLog, attempt);
      delivered.catch(failed.reject);
      return await Promise.race([Promise.all([call.result, delivered]).then(([outcome]) => outcome), failed.promise]);
    } catch (error) {
      call.abort();
      call.channel.fail(error as Error);
      await sending.catch(() => {});
      throw error;
    } finally {
      detached.removeEventListener('abort', detach);
    }
  }

  async #sendPack(channel: RpcChannel, store: SnapshotStore, ids: SnapshotId[], offered: SnapshotId[]): Promise<void> {
    const known = await presentOf(store, offered);
    channel.event({ ids, known } satisfies PackOffer);
    const sink = new Writable({
      write: (chunk: Buffer, _encoding, done) => void channel.send(chunk).then(() => done(), done),
    });
    await pipeline(exportPack(store, ids, known, channel.signal), sink);
    channel.end();
  }

  /** Brings what the step made into the controller's store, as a difference to what it started from, and protects it there. */
  async #fetchResult(
    store: SnapshotStore,
    executionId: string,
    project: ProjectId,
    known: SnapshotId[],
    outcome: ExecutionOutcome,
  ): Promise<void> {
    const made = { snapshot: outcome.snapshot, ...(outcome.outputs ? { outputs: outcome.outputs } : {}) };
    const news = Object.entries(made).filter(([, id]) => !known.includes(id));
    const missing = await lackingOf(
      store,
      news.map(([, id]) => id),
    );
    if (missing.length > 0) {
      const request: FetchRequest = {
        project,
        ids: missing,
        known: await presentOf(store, known),
        ...(this.#options.sharesStores ? { sharedStore: store.dir } : {}),
      };
      await this.#options.link.use(async (connection) => {
        const call = connection.open('fetch', request);
        await Promise.all([importPack(store, call.channel.incoming, missing, request.known), call.result]);
      });
    }
    await Promise.all(news.map(([kind, id]) => store.keep(`executions/${executionId}/${kind}`, id)));
  }
}

async function deliverLog(
  call: RpcCall<unknown>,
  onLog: ExecuteOptions['onLog'],
  attempt: { logOffset: number },
): Promise<void> {
  const log: Readable = call.channel.incoming;
  try {
    for await (const chunk of log as AsyncIterable<Buffer>) {
      await onLog(chunk, attempt.logOffset);
      attempt.logOffset += chunk.length;
    }
  } catch (error) {
    // The call says better why it ended; what `onLog` throws has no such better word.
    if (call.channel.signal.aborted) await call.result;
    throw error;
  }
}

/** Aborted only when the caller lets go; a cancellation goes to the node instead. */
function detachSignal(signal: AbortSignal): AbortSignal {
  const detached = new AbortController();
  const forward = (): void => {
    if (signal.reason === DETACH) detached.abort(DETACH);
  };
  if (signal.aborted) forward();
  else signal.addEventListener('abort', forward, { once: true });
  return detached.signal;
}

import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Writable } from 'node:stream';
import { HelixError } from '../../contracts/error.ts';
import type { NodeFacts } from '../../contracts/node.ts';
import { exportPack, importPack } from '../../snapshots/transport.ts';
import type { ExecutionOutcome } from '../fleet-node.ts';
import { isSnapshotMissing } from '../missing-snapshot.ts';
import type { RpcChannel } from '../wire/channel.ts';
import type { RpcHandler } from '../wire/connection.ts';
import { programItem, projectItem } from './cache-items.ts';
import { readDiskSpace } from './cache-policy.ts';
import { cleanUp } from './clean-up.ts';
import { hasRun } from './command-run.ts';
import { detectFacts } from './detect.ts';
import { translateDiskFull } from './disk-full.ts';
import { detectLoginEnvironment, type LoginEnvironment } from './environment.ts';
import { claimExecution, Execution, readOutcome, removeExecution } from './execution.ts';
import { createLayout, type Layout } from './layout.ts';
import { sendLog } from './log-tail.ts';
import { commands } from './platform/commands.ts';
import { NodeCache } from './node-cache.ts';
import { ProjectStores, type ProjectStore } from './project-stores.ts';
import type {
  AgentSample,
  ConfigureRequest,
  ExecuteRequest,
  FetchRequest,
  PackOffer,
  PingRequest,
  ServeOptions,
  Tenure,
} from './protocol.ts';
import { examineMachine } from './examine.ts';
import { purge } from './purge.ts';
import { freeSlot, readOwner, writeOwner } from './owner.ts';
import { Sampler } from './sample.ts';
import { Slots } from './slots.ts';
import { adoptTenure, isOver } from './tenure.ts';

const diskWatchMs = 1000;

/** What the agent answers to. One per connection; the state that counts is on disk. */
export class AgentService {
  readonly #options: ServeOptions;
  readonly #layout: Layout;
  readonly #slots: Slots;
  readonly #stores: ProjectStores;
  readonly #sampler: Sampler;
  readonly #cache: NodeCache;
  readonly #running = new Map<string, Execution>();
  /** Calls of `execute` under way, by execution: these are the ones whose leases the controller's pings renew. */
  readonly #attached = new Map<string, number>();
  #login: Promise<LoginEnvironment> | undefined;
  #facts: NodeFacts | undefined;
  #detecting: Promise<NodeFacts> | undefined;
  #name = 'this node';
  #tenure: Tenure | undefined;
  #beats = 0;
  #diskWatch: NodeJS.Timeout | undefined;
  #isPurged = false;

  constructor(options: ServeOptions) {
    this.#options = options;
    this.#layout = createLayout(options.root);
    this.#slots = new Slots(this.#layout);
    this.#stores = new ProjectStores(this.#layout);
    this.#sampler = new Sampler(this.#layout);
    this.#cache = new NodeCache(this.#layout, () => cleanUp(this.#layout));
    for (const program of [process.argv[1] ?? '', process.execPath]) this.holdProgram(program);
  }

  handlers(): Record<string, RpcHandler> {
    const handlers: Record<string, RpcHandler> = {
      configure: (request: ConfigureRequest) => this.#configure(request),
      probe: () => this.#probe(),
      purge: () => this.#purge(),
      ping: (request: PingRequest) => this.#ping(request),
      examine: async () => examineMachine(this.#layout, await this.#ensureLogin()),
      execute: (request: ExecuteRequest, channel) => this.#execute(request, channel),
      cancel: async ({ executionId }: { executionId: string }) => this.#running.get(executionId)?.cancel(),
      release: ({ executionId }: { executionId: string }) => this.#release(executionId),
      fetch: (request: FetchRequest, channel) => this.#fetch(request, channel),
    };
    const entries = Object.entries(handlers).map(([method, handler]): [string, RpcHandler] => [
      method,
      (parameters, channel) =>
        handler(parameters, channel).catch((error: unknown) => {
          throw translateDiskFull(error, this.#name, this.#layout.root);
        }),
    ]);
    return Object.fromEntries(entries);
  }

  /** Whether nothing runs on this node, whoever has asked for it. */
  isIdle(): boolean {
    return this.#sampler.executions().running.length === 0;
  }

  /** A program in this node's folder stays there until the returned function is called. */
  holdProgram(file: string): () => void {
    return dirname(file) === join(this.#layout.root, 'bin') ? this.#cache.hold(programItem(file)) : () => {};
  }

  /** The last that is heard of the agent. */
  close(): void {
    this.#cache.close(this.#isPurged);
  }

  async #configure({ name, tenure, cacheBytes }: ConfigureRequest): Promise<void> {
    this.#cache.configure(cacheBytes);
    this.#name = name;
    this.#tenure = tenure;
    if (tenure) adoptTenure(this.#layout, tenure);
  }

  async #probe(): Promise<NodeFacts> {
    const before = await this.#login;
    const login = await detectLoginEnvironment();
    // A shell that is too slow this once must not take away what steps are running with.
    if (login.answered || !before) this.#adoptLogin(login);
    return this.#detect();
  }

  /** Once at a time, however many ask. */
  #detect(): Promise<NodeFacts> {
    this.#detecting ??= this.#lookAtMachine().finally(() => {
      this.#detecting = undefined;
    });
    return this.#detecting;
  }

  async #lookAtMachine(): Promise<NodeFacts> {
    const login = await this.#ensureLogin();
    const facts = await detectFacts(login, this.#layout.root, this.#facts?.tools);
    if (!Object.hasOwn(facts.tools, 'git')) {
      throw new HelixError(
        'node.unsuitable',
        `there is no git on ${this.#name} (looked in ${login.path}): install git 2.30 or later there`,
      );
    }
    await commands.check();
    const { diskFree: free, diskTotal: total = 0 } = facts;
    const withCache = { ...facts, cache: this.#cache.summary({ free, total }) };
    this.#facts = withCache;
    return withCache;
  }

  async #ping({ sample }: PingRequest): Promise<AgentSample | undefined> {
    for (const executionId of this.#attached.keys()) this.#renewLease(executionId);
    if (!sample) return undefined;
    const taken = await this.#sampler.take();
    if (!this.#isPurged) this.#cache.tick({ free: taken.diskFree, total: taken.diskTotal });
    const evicted = this.#cache.evicted();
    return { ...taken, ...(evicted ? { evicted } : {}) };
  }

  /** While something runs, a disk can fill up between two samples. */
  #watchDisk(): void {
    this.#diskWatch ??= setInterval(() => {
      if (this.#running.size === 0) {
        clearInterval(this.#diskWatch);
        this.#diskWatch = undefined;
        return;
      }
      void readDiskSpace(this.#layout.root).then((disk) => this.#cache.tick(disk), () => {}); // prettier-ignore
    }, diskWatchMs);
  }

  /** Any change renews: the process id sets it apart from what another agent wrote. */
  #renewLease(executionId: string): void {
    this.#beats += 1;
    writeFileSync(join(this.#layout.execution(executionId), 'lease'), `${process.pid}.${this.#beats}\n`);
  }

  /** Nothing is taken on any more: it would bring back what was removed. */
  async #purge(): Promise<string[]> {
    this.#isPurged = true;
    this.#cache.close(true);
    return purge(this.#layout, this.#options.timing.graceSeconds * 1000);
  }

  async #execute(request: ExecuteRequest, channel: RpcChannel): Promise<ExecutionOutcome> {
    const { executionId, spec } = request;
    if (this.#isPurged) throw new HelixError('node.lost', `Helix was removed from ${this.#name}`);
    const known = existsSync(this.#layout.execution(executionId));
    if (!known && request.attachOnly) {
      throw new HelixError('step.not-found', `${this.#name} knows no execution ${executionId}`);
    }
    if (!known && request.cancelled)
      return { end: 'cancelled', exitCode: null, snapshot: spec.snapshot, logBytes: 0, durationMs: 0 };
    const earlier = readOutcome(this.#layout, executionId);
    if (earlier) {
      channel.event({ type: 'claimed' });
      const ended = { done: true, promise: Promise.resolve() };
      await sendLog(join(this.#layout.execution(executionId), 'log'), request.logOffset, 0, channel, ended);
      return earlier;
    }
    if (isOver(this.#layout, this.#tenure)) {
      throw new HelixError('node.lost', `${this.#name} belongs to another node-pool by now`);
    }
    claimExecution(this.#layout, request);
    this.#fenceOtherAgents(request);
    channel.event({ type: 'claimed' });
    this.#attached.set(executionId, (this.#attached.get(executionId) ?? 0) + 1);
    try {
      // A new one's lease begins with the first ping; a short step never needs it.
      if (known) this.#renewLease(executionId);
      const execution = await this.#start(request, channel);
      if (request.cancelled) execution.cancel();
      await Promise.all([
        sendLog(execution.logFile, request.logOffset, execution.logLimitBytes, channel, execution.ended),
        untilAborted(execution.ended.promise, channel.signal),
      ]);
      return await execution.ended.promise;
    } finally {
      const left = this.#attached.get(executionId)! - 1;
      if (left > 0) this.#attached.set(executionId, left);
      else this.#attached.delete(executionId);
    }
  }

  async #start(request: ExecuteRequest, channel: RpcChannel): Promise<Execution> {
    const { executionId, spec } = request;
    const login = await this.#ensureLogin();
    const project = await this.#stores.get(spec.project, request.sharedStore);
    if (!this.#running.has(executionId)) {
      await this.#receiveMissing(project, request, channel).catch((error: unknown) => {
        if (isSnapshotMissing(error)) this.#stores.forget(spec.project);
        throw error;
      });
    }
    const running = this.#running.get(executionId);
    if (running) return running;
    const context = {
      layout: this.#layout,
      slots: this.#slots,
      timing: this.#options.timing,
      login,
      cache: this.#cache,
      toolchain: (tools: string[]) => this.#toolchain(tools),
    };
    const execution = new Execution(context, request, project);
    this.#running.set(executionId, execution);
    this.#watchDisk();
    const release = this.#cache.hold(projectItem(spec.project));
    const forget = (): void => {
      this.#running.delete(executionId);
      release();
    };
    execution.ended.promise.then(forget, (error: unknown) => {
      forget();
      if (isSnapshotMissing(error)) this.#stores.forget(spec.project);
      // Nothing ran, so nothing is to be remembered: the id may be used again, here or elsewhere.
      if (!hasRun(this.#layout.execution(executionId))) void this.#release(executionId);
    });
    return execution;
  }

  /** Asks the controller for what the step needs and the node lacks. */
  async #receiveMissing(
    { store, recent, remember }: ProjectStore,
    request: ExecuteRequest,
    channel: RpcChannel,
  ): Promise<void> {
    const wanted = [...new Set([request.spec.snapshot, ...request.spec.inputs])];
    const there = await Promise.all(wanted.map((id) => store.has(id)));
    const ids = wanted.filter((_, index) => !there[index]);
    if (ids.length > 0) {
      const offer = new Promise<PackOffer>((resolve, reject) => {
        channel.onEvent(resolve);
        channel.signal.addEventListener('abort', () => reject(channel.signal.reason as Error), { once: true });
      });
      const present = await Promise.all(recent().map(async (id) => ((await store.has(id)) ? [id] : [])));
      channel.event({ type: 'need', ids, known: present.flat() });
      await importPack(store, channel.incoming, ids, (await offer).known);
    }
    remember(...wanted);
  }

  async #fetch({ project, ids, known, sharedStore }: FetchRequest, channel: RpcChannel): Promise<void> {
    await this.#ensureLogin();
    const { store } = await this.#stores.get(project, sharedStore);
    const sink = new Writable({
      write: (chunk: Buffer, _encoding, done) => void channel.send(chunk).then(() => done(), done),
    });
    await pipeline(exportPack(store, ids, known, channel.signal), sink);
  }

  async #release(executionId: string): Promise<void> {
    const running = this.#running.get(executionId);
    if (running) {
      running.cancel();
      await running.ended.promise.catch(() => {});
    } else if (hasRun(this.#layout.execution(executionId)) && !readOutcome(this.#layout, executionId)) {
      await commands.endProcesses(
        this.#layout.execution(executionId),
        undefined,
        this.#options.timing.graceSeconds * 1000,
      );
    }
    freeSlot(this.#layout, executionId);
    removeExecution(this.#layout, executionId);
    this.#cache.freed();
  }

  /**
   * Two agents must not drive one execution. The one that the controller asks last is right: an earlier one hangs on a connection
   * that is dead but not yet known to be. It can be killed at any time without loss, so it is. A controller whose execution was taken
   * over by another one does not get it back by reconnecting, or the two would take turns in killing.
   */
  #fenceOtherAgents({ executionId, spec, controller, again }: ExecuteRequest): void {
    const owner = readOwner(this.#layout, executionId);
    if (owner?.agent === process.pid) return;
    if (owner && commands.isAgentOf(owner.agent, this.#layout.root)) {
      if (again && owner.controller !== controller) {
        throw new HelixError(
          'node.lost',
          `execution ${executionId} on ${this.#name} was taken over by another controller`,
        );
      }
      process.kill(owner.agent, 'SIGKILL');
    }
    writeOwner(this.#layout, executionId, { agent: process.pid, controller, project: spec.project });
  }

  #ensureLogin(): Promise<LoginEnvironment> {
    this.#login ??= detectLoginEnvironment().then((login) => this.#adoptLogin(login));
    return this.#login;
  }

  #adoptLogin(login: LoginEnvironment): LoginEnvironment {
    this.#login = Promise.resolve(login);
    // Git is found as the user's login shell finds it.
    process.env.PATH = login.path;
    return login;
  }

  async #toolchain(tools: string[]): Promise<string> {
    const { os, arch, libc, tools: present } = this.#facts ?? (await this.#detect());
    const versions = [...new Set(tools)].sort().map((tool) => `${tool}=${present[tool] ?? 'none'}`);
    return [os, arch, libc ? `${libc.name} ${libc.version}` : '', ...versions].join('\n');
  }
}

/** Settles with the promise, or rejects when the caller gives up; the work behind the promise goes on. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let stop = (): void => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

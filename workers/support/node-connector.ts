import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';
import type { Config } from '../../config/schema.ts';
import { nodeWorkflowId } from '../../contracts/derived.ts';
import type { NodeRecord, NodeRegistration } from '../../contracts/node.ts';
import type { ProjectId } from '../../contracts/snapshot.ts';
import type { Database } from '../../db/database.ts';
import { listTenures, type NodeTenure, releaseNode, takeNode } from '../../db/node-pools.ts';
import { changeStanding, insertNode, listNodes, type NodeDescription, updateNode } from '../../db/nodes.ts';
import type { Arrivals } from '../../fleet/join/arrivals.ts';
import { cacheLimitOf } from '../../fleet/cache-limit.ts';
import { type FleetNode, openJoinedNode, openLocalNode, openSshNode } from '../../fleet/node.ts';
import { refuseSecondName } from '../../fleet/same-machine.ts';
import type { Allocator } from '../../fleet/placement/allocator.ts';
import type { Roster } from '../../fleet/placement/roster.ts';
import type { SnapshotStore } from '../../snapshots/store.ts';
import type { nodeLifecycle } from '../../workflows/index.ts';
import { orchestratorTaskQueue } from '../../workflows/task-queues.ts';
import { Rounds } from './rounds.ts';

export interface NodeConnectorOptions {
  config: Config;
  database: Database;
  client: Client;
  /** Id of this node-pool. */
  pool: string;
  roster: Roster;
  allocator: Allocator;
  /** The machines that have connected by themselves. */
  arrivals: Arrivals;
  stores(project: ProjectId): Promise<SnapshotStore>;
  path(...parts: string[]): string;
  logger: Logger;
}

interface HeldNode {
  tenure: NodeTenure;
  stop: AbortController;
  /** Resolves when it was tried to connect to it. */
  settled: Promise<void>;
  isEntering: boolean;
}

class NotTaken extends Error {}

const localNodeName = 'local';
const firstRetryMs = 2_000;
const lastRetryMs = 60_000;
/** How long a machine that was there the last time is waited for before its node is unreachable. */
const arrivalMs = 5_000;

/** Connects to the nodes that this pool holds, and keeps at it with those that do not answer. */
export class NodeConnector {
  private readonly options: NodeConnectorOptions;
  /** As what each node is held, whether it is connected yet or not. */
  private readonly held = new Map<string, HeldNode>();
  private readonly rounds = new Rounds(() => this.followRecords());
  private stopped = false;
  private entering: Promise<unknown> = Promise.resolve();

  constructor(options: NodeConnectorOptions) {
    this.options = options;
  }

  /**
   * Makes the roster what the records say, and lets the allocator know what other pools have. What was lost is let go of at once; connections
   * are made meanwhile. A fleet without any node gets this machine as its first.
   */
  async synchronise(): Promise<void> {
    await this.rounds.ask();
  }

  /** Resolves when every node that is held by now was tried to connect to. */
  async settled(): Promise<void> {
    await Promise.all([...this.held.values()].map(({ settled }) => settled));
  }

  /**
   * Connects to a machine that a user names and takes it in as this pool's; `known` is its record when it is to be renewed. Returns undefined
   * when somebody else has put a node of that name on record meanwhile.
   */
  async register(registration: NodeRegistration, known?: NodeRecord): Promise<NodeRecord | undefined> {
    const { config, database, pool, stores, path, logger } = this.options;
    const { name, ssh, hostKey, labels } = registration;
    const cacheBytes = cacheLimitOf(labels, config.fleet.cacheBytes);
    const taken = known && (await takeNode(database, pool, name));
    const tenure = taken ?? { registration: randomUUID(), epoch: 1 };
    const node = await openSshNode({ name, ssh, hostKey, tenure, cacheBytes, cacheDir: path('cache'), stores, logger });
    const description: NodeDescription = {
      name,
      reach: 'ssh',
      ssh: node.ssh,
      hostKey: node.hostKey,
      slots: registration.slots ?? node.facts.cpus,
      labels,
      facts: node.facts,
      probedAt: new Date().toISOString(),
    };
    const put = () => (taken ? updateNode(database, description) : this.insert(description, tenure, false));
    return await this.takeIn(name, node, tenure, put);
  }

  /**
   * Takes in a machine that is connected as this pool's node, which `put` puts on record; undefined when that says no, and then it is closed.
   * Throws `node.same-machine`.
   */
  async takeIn(
    name: string,
    node: FleetNode,
    tenure: NodeTenure,
    put: () => Promise<boolean>,
  ): Promise<NodeRecord | undefined> {
    const { database } = this.options;
    // One after the other, or two names of one machine that come together would not see each other.
    const entered = this.entering.then(async () => {
      try {
        refuseSecondName(name, node.facts, await listNodes(database));
      } catch (error) {
        await node.close();
        throw error;
      }
      return await this.enter(name, node, tenure, put);
    });
    this.entering = entered.catch(() => undefined);
    return await entered;
  }

  /** Lets as many nodes as are too many go to other pools, each as soon as nothing runs on it. */
  async giveUp(surplus: number): Promise<void> {
    const { roster, allocator, database, pool } = this.options;
    // A machine that has connected to this pool stays with it.
    const ready = roster.records().filter(({ reach }) => reach === 'ssh');
    const names = ready.map(({ name }) => name).sort((a, b) => allocator.busySteps(a) - allocator.busySteps(b));
    for (const [index, name] of names.entries()) {
      roster.setLeaving(name, index < surplus);
      if (index >= surplus || allocator.busySteps(name) > 0) continue;
      await this.letGo(name);
      await releaseNode(database, pool, name);
    }
  }

  stop(): void {
    this.stopped = true;
    for (const { stop } of this.held.values()) stop.abort();
  }

  private async followRecords(): Promise<void> {
    const { database, pool, roster, allocator } = this.options;
    // In this order: a node that comes in between is heard of again.
    const tenures = await listTenures(database, pool);
    const records = await listNodes(database);
    if (this.stopped) return;
    if (records.length === 0) return await this.registerThisMachine();
    for (const [name, { tenure, isEntering }] of this.held) {
      if (!isEntering && !isSame(tenure, tenures.get(name))) await this.letGo(name);
    }
    for (const record of records) {
      const tenure = tenures.get(record.name);
      if (!tenure) continue;
      if (!this.held.has(record.name)) this.hold(record, tenure);
      else roster.refresh(record);
    }
    allocator.setElsewhere(
      records.filter(
        (record) => record.pool && record.pool !== pool && (record.state === 'healthy' || record.state === 'degraded'),
      ),
    );
  }

  private async letGo(name: string): Promise<void> {
    this.held.get(name)?.stop.abort();
    this.held.delete(name);
    await this.options.roster.remove(name);
  }

  private hold(record: NodeRecord, tenure: NodeTenure): void {
    const stop = new AbortController();
    const { promise: settled, resolve } = Promise.withResolvers<void>();
    this.held.set(record.name, { tenure, stop, settled, isEntering: false });
    void this.keepConnecting(record, tenure, stop.signal, resolve);
  }

  private async keepConnecting(
    record: NodeRecord,
    tenure: NodeTenure,
    signal: AbortSignal,
    tried: () => void,
  ): Promise<void> {
    if (record.reach === 'joined') await this.untilArrived(record, tenure, signal, tried);
    for (let pause = firstRetryMs; !signal.aborted; pause = Math.min(pause * 2, lastRetryMs)) {
      try {
        await this.connect(record, tenure, signal);
        return tried();
      } catch (error) {
        if (signal.aborted) break;
        const reason = error instanceof Error ? error.message : String(error);
        this.options.logger.warn({ node: record.name, reason }, 'cannot connect to a node');
        await this.setUnreachable(record.name, reason);
        tried();
        await sleep(pause, undefined, { signal }).catch(() => undefined);
      }
    }
    tried();
  }

  /** Waits for a machine that has to connect by itself; while it does not, its node is unreachable. */
  private async untilArrived(
    { name, state }: NodeRecord,
    { registration }: NodeTenure,
    signal: AbortSignal,
    tried: () => void,
  ): Promise<void> {
    const { arrivals } = this.options;
    const patience = AbortSignal.any([signal, AbortSignal.timeout(state === 'unreachable' ? 0 : arrivalMs)]);
    await arrivals.untilThere(registration, patience).catch(() => undefined);
    if (arrivals.isThere(registration) || signal.aborted) return;
    await this.setUnreachable(name, 'its machine has not connected; "helix node join" there brings it back');
    tried();
    await arrivals.untilThere(registration, signal).catch(() => undefined);
  }

  private async setUnreachable(name: string, reason: string): Promise<void> {
    const { database, pool } = this.options;
    await changeStanding(database, name, { condition: { state: 'unreachable', reason } }, pool).catch(() => undefined);
  }

  private async connect(record: NodeRecord, tenure: NodeTenure, signal: AbortSignal): Promise<void> {
    const { config, database, pool, roster } = this.options;
    const node = await this.open(record, tenure, signal);
    try {
      const described: NodeRecord = { ...record, facts: node.facts, probedAt: new Date().toISOString() };
      if (record.reach === 'local' && config.node.slots) described.slots = config.node.slots;
      const isKnown = !signal.aborted && (await updateNode(database, described));
      const connected =
        isKnown && (await changeStanding(database, record.name, { condition: { state: 'healthy' } }, pool));
      // Removed, or gone to another pool, while it was being connected to.
      if (!connected || signal.aborted) return await node.close();
      await roster.add(connected, node, await node.beat());
    } catch (error) {
      await node.close();
      throw error;
    }
  }

  private async registerThisMachine(): Promise<void> {
    const { config } = this.options;
    const tenure: NodeTenure = { registration: randomUUID(), epoch: 1 };
    const node = await this.openLocal(localNodeName, tenure);
    const description: NodeDescription = {
      name: localNodeName,
      reach: 'local',
      slots: config.node.slots ?? node.facts.cpus,
      labels: { controller: 'true', host: hostname() },
      facts: node.facts,
      probedAt: new Date().toISOString(),
    };
    await this.enter(localNodeName, node, tenure, () => this.insert(description, tenure, true));
  }

  private insert(description: NodeDescription, { registration }: NodeTenure, first: boolean): Promise<boolean> {
    const { database, pool } = this.options;
    return insertNode(database, description, { holder: { pool, registration }, first });
  }

  /** Takes in a node that is connected and that `put` puts on record; closes it when that says no. */
  private async enter(
    name: string,
    node: FleetNode,
    tenure: NodeTenure,
    put: () => Promise<boolean>,
  ): Promise<NodeRecord | undefined> {
    const { database, pool, roster } = this.options;
    this.held.get(name)?.stop.abort();
    // From before it is on record, so that nobody else here begins to connect to it; `isEntering` keeps it until then.
    const entry: HeldNode = { tenure, stop: new AbortController(), settled: Promise.resolve(), isEntering: true };
    this.held.set(name, entry);
    try {
      const record = (await put()) && (await changeStanding(database, name, { condition: { state: 'healthy' } }, pool));
      if (!record) throw new NotTaken();
      await roster.add(record, node, await node.beat());
      await this.startLifecycle(name);
      return record;
    } catch (error) {
      if (this.held.get(name) === entry) this.held.delete(name);
      await node.close();
      if (error instanceof NotTaken) return undefined;
      throw error;
    } finally {
      entry.isEntering = false;
    }
  }

  /** It is started with the first message too; but whoever looks for it in the Web UI is to find it from the beginning. */
  private async startLifecycle(name: string): Promise<void> {
    const { client, logger } = this.options;
    try {
      await client.workflow.start<typeof nodeLifecycle>('nodeLifecycle', {
        workflowId: nodeWorkflowId(name),
        taskQueue: orchestratorTaskQueue,
        args: [{ name }],
        workflowIdConflictPolicy: 'USE_EXISTING',
        staticSummary: `node ${name}`,
        searchAttributes: { HelixNode: [name] },
      });
    } catch (error) {
      logger.warn({ err: error, node: name }, 'could not start the workflow of a node');
    }
  }

  private async open(
    { name, reach, ssh, hostKey, labels }: NodeRecord,
    tenure: NodeTenure,
    signal: AbortSignal,
  ): Promise<FleetNode> {
    const { config, stores, path, logger, arrivals } = this.options;
    if (reach === 'local') return await this.openLocal(name, tenure);
    const cacheBytes = cacheLimitOf(labels, config.fleet.cacheBytes);
    const common = { name, tenure, cacheBytes, cacheDir: path('cache'), stores, logger };
    if (reach === 'ssh')
      return await openSshNode({ ...common, ssh: ssh!, hostKey: { kind: 'pinned', sha256: hostKey ?? '' } });
    const next = (until: AbortSignal) => arrivals.take(tenure.registration, until);
    return await openJoinedNode({ ...common, session: await next(signal), next });
  }

  private openLocal(name: string, tenure: NodeTenure): Promise<FleetNode> {
    const { config, stores, path, logger } = this.options;
    const { cacheBytes } = config.fleet;
    return openLocalNode({ name, root: path('node'), tenure, cacheBytes, stores, logger });
  }
}

function isSame(one: NodeTenure, other: NodeTenure | undefined): boolean {
  return one.registration === other?.registration && one.epoch === other.epoch;
}

import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { Config } from '../../config/schema.ts';
import type { NodeRecord, NodeRegistration } from '../../contracts/node.ts';
import type { ProjectId } from '../../contracts/snapshot.ts';
import type { Database } from '../../db/database.ts';
import { listNodes, saveNode, setNodeState } from '../../db/nodes.ts';
import { type FleetNode, openLocalNode, openSshNode } from '../../fleet/node.ts';
import type { Roster } from '../../fleet/placement/roster.ts';
import type { SnapshotStore } from '../../snapshots/store.ts';

export interface NodeConnectorOptions {
  config: Config;
  database: Database;
  roster: Roster;
  stores(project: ProjectId): Promise<SnapshotStore>;
  path(...parts: string[]): string;
  logger: Logger;
}

export const localNodeName = 'local';
const firstRetryMs = 2_000;
const lastRetryMs = 60_000;

/** Connects to the nodes on record, and keeps at it with those that do not answer. */
export class NodeConnector {
  private readonly options: NodeConnectorOptions;
  private readonly retries = new Map<string, NodeJS.Timeout>();
  private stopped = false;

  constructor(options: NodeConnectorOptions) {
    this.options = options;
  }

  /** Makes the roster what the records say. A fleet without any node gets this machine as its first. */
  async synchronise(): Promise<void> {
    const { database, roster } = this.options;
    const records = await listNodes(database);
    if (records.length === 0) await this.registerThisMachine();
    const wanted = new Set(records.map((record) => record.name));
    for (const { name } of roster.records()) if (!wanted.has(name) && records.length > 0) await roster.remove(name);
    await Promise.all(
      records
        .filter((record) => !roster.get(record.name) && !this.retries.has(record.name))
        .map((record) => this.connect(record, firstRetryMs)),
    );
  }

  connectSsh(registration: NodeRegistration): Promise<FleetNode & { hostKey: string }> {
    const { stores, path, logger } = this.options;
    const { name, ssh, hostKey } = registration;
    return openSshNode({ name, ssh, hostKey, cacheDir: path('cache'), stores, logger });
  }

  stop(): void {
    this.stopped = true;
    for (const timer of this.retries.values()) clearTimeout(timer);
    this.retries.clear();
  }

  private async registerThisMachine(): Promise<void> {
    const { config, database, roster } = this.options;
    const node = await this.open({ name: localNodeName });
    const record: NodeRecord = {
      name: localNodeName,
      slots: config.node.slots ?? node.facts.cpus,
      labels: { controller: 'true', host: hostname() },
      facts: node.facts,
      state: 'healthy',
      busy: 0,
      probedAt: new Date().toISOString(),
    };
    await saveNode(database, record);
    await roster.add(record, node);
  }

  private async connect(record: NodeRecord, retryMs: number): Promise<void> {
    const { config, database, roster, logger } = this.options;
    this.retries.delete(record.name);
    if (this.stopped) return;
    try {
      const node = await this.open(record);
      const connected: NodeRecord = {
        ...record,
        facts: node.facts,
        state: 'healthy',
        probedAt: new Date().toISOString(),
      };
      delete connected.reason;
      if (!record.ssh && config.node.slots) connected.slots = config.node.slots;
      // Removed while it was being connected: it stays removed.
      if (!(await saveNode(database, connected, { onlyKnown: true }))) return await node.close();
      await roster.add(connected, node);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      logger.warn({ node: record.name, reason }, 'cannot connect to a node');
      await setNodeState(database, record.name, 'unreachable', reason).catch(() => undefined);
      const next = Math.min(retryMs * 2, lastRetryMs);
      this.retries.set(
        record.name,
        setTimeout(() => void this.connect(record, next), retryMs),
      );
    }
  }

  private open({ name, ssh, hostKey }: Pick<NodeRecord, 'name' | 'ssh' | 'hostKey'>): Promise<FleetNode> {
    const { stores, path, logger } = this.options;
    if (!ssh) return openLocalNode({ name, root: path('node'), stores, logger });
    return openSshNode({
      name,
      ssh,
      hostKey: { kind: 'pinned', sha256: hostKey ?? '' },
      cacheDir: path('cache'),
      stores,
      logger,
    });
  }
}

import type { Logger } from 'pino';
import type { NodeRecord, NodeState } from '../../contracts/node.ts';
import type { FleetNode } from '../node.ts';
import type { Allocator } from './allocator.ts';

/** Told when a node comes or goes, so that others can see it. */
export type StateListener = (name: string, state: NodeState, reason?: string) => void;

/** The nodes that this node-pool holds connections to, and what the allocator knows of them. */
export class Roster {
  private readonly members = new Map<string, { record: NodeRecord; node: FleetNode; stopListening: () => void }>();

  private readonly allocator: Allocator;
  private readonly onState: StateListener;
  private readonly logger: Logger;

  constructor(allocator: Allocator, onState: StateListener, logger: Logger) {
    this.allocator = allocator;
    this.onState = onState;
    this.logger = logger;
  }

  /** Takes a connected node in, or its new record. A node that was there under the name is closed. */
  async add(record: NodeRecord, node: FleetNode): Promise<void> {
    await this.remove(record.name);
    const stopListening = node.onStateChange((state, reason) => {
      const member = this.members.get(record.name);
      if (!member) return;
      member.record = { ...member.record, state, facts: node.facts };
      this.place(member.record);
      this.onState(record.name, state, reason);
      this.logger.info({ node: record.name, state, reason }, 'a node changed its state');
    });
    this.members.set(record.name, { record, node, stopListening });
    this.place(record);
  }

  async remove(name: string): Promise<void> {
    const member = this.members.get(name);
    if (!member) return;
    this.members.delete(name);
    this.allocator.removeNode(name);
    member.stopListening();
    await member.node.close();
  }

  get(name: string): FleetNode | undefined {
    return this.members.get(name)?.node;
  }

  record(name: string): NodeRecord | undefined {
    return this.members.get(name)?.record;
  }

  records(): NodeRecord[] {
    return [...this.members.values()].map((member) => member.record);
  }

  /** Takes over newly detected facts. */
  refresh(record: NodeRecord): void {
    const member = this.members.get(record.name);
    if (!member) return;
    member.record = record;
    this.place(record);
  }

  async close(): Promise<void> {
    await Promise.all([...this.members.keys()].map((name) => this.remove(name)));
  }

  private place(record: NodeRecord): void {
    const { name, slots, facts, labels, state } = record;
    this.allocator.setNode({ name, slots, facts, labels, healthy: state === 'healthy' });
  }
}

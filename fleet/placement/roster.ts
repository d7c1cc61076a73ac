import type { Logger } from 'pino';
import { overallState } from '../../contracts/node-state.ts';
import type { NodeCondition, NodeRecord } from '../../contracts/node.ts';
import { ConditionJudge } from '../health/conditions.ts';
import type { FleetNode } from '../node.ts';
import type { Beat, LinkState } from '../node-link.ts';
import type { Allocator } from './allocator.ts';

/** Told what becomes of the nodes, so that others can see it. */
export interface RosterListener {
  onCondition(name: string, condition: NodeCondition): void;
  /** `busy` are the steps on the node. */
  onBeat(name: string, beat: Beat, busy: number): void;
  /** Executions run on the node that no step here holds, or their results lie there; told with each beat. */
  onStray(node: FleetNode, executionIds: string[]): void;
}

interface Member {
  record: NodeRecord;
  readonly node: FleetNode;
  readonly judge: ConditionJudge;
  condition: NodeCondition;
  /** What the last looks at the machine came to, whether it can be reached or not. */
  judged: NodeCondition;
  /** It is to go to another node-pool as soon as nothing runs on it. */
  isLeaving: boolean;
  /** Aborted when the steps on it are to be run elsewhere. */
  handBack: AbortController;
  stopListening(): void;
}

/** The nodes that this node-pool holds connections to, and what the allocator knows of them. */
export class Roster {
  private readonly members = new Map<string, Member>();
  private readonly allocator: Allocator;
  private readonly listener: RosterListener;
  private readonly logger: Logger;

  constructor(allocator: Allocator, listener: RosterListener, logger: Logger) {
    this.allocator = allocator;
    this.listener = listener;
    this.logger = logger;
  }

  /**
   * Takes a connected node in. One that was there under the name is closed. `beat` is how the machine is: what runs there already counts
   * before anything new is placed.
   */
  async add(record: NodeRecord, node: FleetNode, beat: Beat): Promise<void> {
    await this.remove(record.name);
    const { name } = record;
    const listening = [
      node.onStateChange((state) => this.takeLinkState(name, state)),
      node.onBeat((next) => this.takeBeat(name, next)),
    ];
    const member: Member = {
      record,
      node,
      judge: new ConditionJudge(),
      condition: { state: 'healthy' },
      judged: { state: 'healthy' },
      isLeaving: false,
      handBack: new AbortController(),
      stopListening: () => listening.forEach((stop) => stop()),
    };
    this.members.set(name, member);
    this.takeBeat(name, beat);
    this.place(member);
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

  condition(name: string): NodeCondition | undefined {
    return this.members.get(name)?.condition;
  }

  records(): NodeRecord[] {
    return [...this.members.values()].map((member) => member.record);
  }

  /** Takes over what is on record by now. */
  refresh(record: NodeRecord): void {
    const member = this.members.get(record.name);
    if (!member) return;
    member.record = record;
    this.place(member);
  }

  /** Lets the node run out, or not any more, because another node-pool is to have it. */
  setLeaving(name: string, isLeaving: boolean): void {
    const member = this.members.get(name);
    if (!member || member.isLeaving === isLeaving) return;
    member.isLeaving = isLeaving;
    this.place(member);
  }

  /** Aborted when the steps on the node are to be run elsewhere. */
  handBackSignal(name: string): AbortSignal | undefined {
    return this.members.get(name)?.handBack.signal;
  }

  /** Has the steps on the node ended there and run elsewhere. */
  handBack(name: string): void {
    const member = this.members.get(name);
    member?.handBack.abort();
    if (member) member.handBack = new AbortController();
  }

  async close(): Promise<void> {
    await Promise.all([...this.members.keys()].map((name) => this.remove(name)));
  }

  private takeLinkState(name: string, state: LinkState): void {
    const member = this.members.get(name);
    if (!member) return;
    this.setCondition(member, state.state === 'lost' ? { state: 'unreachable', reason: state.reason } : member.judged);
  }

  private takeBeat(name: string, beat: Beat): void {
    const member = this.members.get(name);
    if (!member) return;
    const { facts, slots } = member.record;
    member.judged = member.judge.look(beat, { cpus: facts.cpus, memory: facts.memory, slots });
    this.allocator.setRunning(name, beat.running);
    this.listener.onBeat(name, beat, this.allocator.busySteps(name));
    const stray = [...this.allocator.strayExecutions(name), ...beat.ended];
    if (stray.length > 0) this.listener.onStray(member.node, stray);
    if (member.condition.state !== 'unreachable') this.setCondition(member, member.judged);
  }

  private setCondition(member: Member, condition: NodeCondition): void {
    const { state, reason } = member.condition;
    if (condition.state === state && condition.reason === reason) return;
    member.condition = condition;
    this.place(member);
    const { name } = member.record;
    this.listener.onCondition(name, condition);
    this.logger.info({ node: name, ...condition }, 'a node is in another condition');
  }

  private place(member: Member): void {
    const { condition, isLeaving } = member;
    const { reason: _reason, ...record } = member.record;
    member.record = { ...record, ...overallState({ condition, ...record }) };
    const { name, slots, facts, labels, hold, quarantine } = record;
    const isOpen = !hold && !quarantine && !isLeaving;
    this.allocator.setNode({
      name,
      slots,
      facts,
      labels,
      takes: condition.state === 'unreachable' ? 'nothing' : isOpen ? 'any' : 'attached',
      degraded: condition.state === 'degraded',
    });
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { HelixError } from '../contracts/error.ts';
import type { NodeHold, NodeRecord, NodeRegistration } from '../contracts/node.ts';
import type { Elsewhere, NodeDrain, NodeVerdict } from '../contracts/node-workflow.ts';
import type { Database } from '../db/database.ts';
import { changeStanding, getNode, removeNode, updateNode } from '../db/nodes.ts';
import type { FleetNode } from '../fleet/node.ts';
import type { Allocator } from '../fleet/placement/allocator.ts';
import type { Roster } from '../fleet/placement/roster.ts';
import { activityGroup } from './activity-group.ts';

export interface NodeDeps {
  database: Database;
  /** Id of this node-pool. */
  pool: string;
  roster: Roster;
  allocator: Allocator;
  /** Connects to a machine and takes it in; undefined when the name was taken meanwhile. */
  register(registration: NodeRegistration, known?: NodeRecord): Promise<NodeRecord | undefined>;
}

const notFound = (name: string) =>
  new HelixError('node.not-found', `there is no node named ${name}: "helix nodes" lists them`);

/**
 * Nodes come, are looked at again, and go. What needs the connection to a node is answered with `heldBy` when another node-pool has it: it is to
 * be asked on that pool's own task queue.
 */
export function createNodeActivities({ database, pool, roster, allocator, register }: NodeDeps) {
  const known = async (name: string): Promise<NodeRecord> => {
    const record = await getNode(database, name);
    if (!record) throw notFound(name);
    return record;
  };
  const connected = (record: NodeRecord): FleetNode => {
    const node = roster.get(record.name);
    if (node) return node;
    const why = record.reason ? `: ${record.reason}` : '';
    throw new HelixError('node.unreachable', `node ${record.name} is not connected${why}`);
  };
  /** Set when another pool has the node. */
  const elsewhere = ({ pool: holder }: NodeRecord): Elsewhere | undefined =>
    holder !== undefined && holder !== pool ? { heldBy: holder } : undefined;

  return activityGroup({
    async registerNode(registration: NodeRegistration): Promise<NodeRecord | Elsewhere> {
      const { name } = registration;
      const before = await getNode(database, name);
      const taken = new HelixError(
        'node.name-taken',
        `a node named ${name} is registered already: choose another --name, or remove it first with "helix nodes remove ${name}"`,
      );
      if (before && !sameMachine(before, registration)) throw taken;
      const other = before && elsewhere(before);
      if (other) return other;
      const record = await register(registration, before);
      if (!record) throw taken;
      return record;
    },

    async probeNode(name: string): Promise<NodeRecord | Elsewhere> {
      const record = await known(name);
      const other = elsewhere(record);
      if (other) return other;
      const facts = await connected(record).probe();
      await updateNode(database, { ...record, facts, probedAt: new Date().toISOString() });
      const probed = await known(name);
      roster.refresh(probed);
      return probed;
    },

    /**
     * Removes everything of Helix from a node's machine, after the steps there were handed back. Throws `usage.invalid` for the controller's own
     * machine and `node.unreachable` when the node is not connected.
     */
    async purgeNode(name: string): Promise<{ left: string[] } | Elsewhere> {
      const record = await known(name);
      const other = elsewhere(record);
      if (other) return other;
      if (record.reach === 'local') {
        throw new HelixError(
          'usage.invalid',
          `${name} is the controller's own machine, whose folder holds the fleet's data: it can be removed without --purge only`,
        );
      }
      const node = connected(record);
      const { cancellationSignal: signal } = Context.current();
      roster.setLeaving(name, true);
      try {
        roster.handBack(name);
        const patience = Date.now() + 30_000;
        while (allocator.heldSteps(name) > 0 && Date.now() < patience) await sleep(50, undefined, { signal });
        return { left: await node.purge() };
      } catch (error) {
        roster.setLeaving(name, false);
        throw error;
      }
    },

    async removeNode(name: string): Promise<void> {
      const existed = await removeNode(database, name);
      await roster.remove(name);
      if (!existed) throw notFound(name);
    },

    /** Keeps new steps off a node, or not any more. */
    async holdNode(name: string, hold: NodeHold | null): Promise<void> {
      const record = await changeStanding(database, name, { hold });
      if (!record) throw notFound(name);
      roster.refresh(record);
    },

    /** Waits until nothing runs on a node that takes no new steps; at the deadline what still runs is ended and runs elsewhere. */
    async drainNode({ name, deadline }: NodeDrain): Promise<{ handedBack: number } | Elsewhere> {
      const record = await known(name);
      const other = elsewhere(record);
      if (other) return other;
      const signal = Context.current().cancellationSignal;
      roster.refresh(record);
      while (allocator.busySteps(name) > 0 && Date.now() < Date.parse(deadline))
        await sleep(200, undefined, { signal });
      const left = allocator.busySteps(name);
      if (left === 0) return { handedBack: 0 };
      roster.handBack(name);
      // What nobody here holds was left by a node-pool that died; the node ends it when its lease runs out.
      const patience = Date.now() + 30_000;
      while (allocator.heldSteps(name) > 0 && Date.now() < patience) await sleep(50, undefined, { signal });
      return { handedBack: left };
    },

    /** Whether a node that was put into quarantine does again what a node has to; it is let out if so. */
    async examineNode(name: string): Promise<NodeVerdict | Elsewhere> {
      const record = await known(name);
      const other = elsewhere(record);
      if (other) return other;
      try {
        const node = connected(record);
        const before = record.facts.tools;
        await node.examine();
        const facts = await node.probe();
        const silent = Object.keys(before).filter((tool) => before[tool] !== '' && !facts.tools[tool]);
        if (silent.length > 0) return { passed: false, reason: `${silent.join(', ')} do not answer any more` };
        await updateNode(database, { ...record, facts, probedAt: new Date().toISOString() });
      } catch (error) {
        return { passed: false, reason: (error as Error).message };
      }
      const released = await changeStanding(database, name, { quarantine: null });
      if (released) roster.refresh(released);
      return { passed: true };
    },

    /** Lets a node out of quarantine because a user says so. */
    async releaseNode(name: string): Promise<void> {
      const released = await changeStanding(database, name, { quarantine: null });
      if (!released) throw notFound(name);
      roster.refresh(released);
    },
  });
}

/** Registering a machine again under its own name renews its record. */
function sameMachine(known: NodeRecord, { ssh }: NodeRegistration): boolean {
  return known.ssh?.host === ssh.host && known.ssh.port === ssh.port && known.ssh.user === ssh.user;
}

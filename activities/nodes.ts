import { HelixError } from '../contracts/error.ts';
import type { NodeRecord, NodeRegistration } from '../contracts/node.ts';
import type { Database } from '../db/database.ts';
import { getNode, removeNode, saveNode } from '../db/nodes.ts';
import type { FleetNode } from '../fleet/node.ts';
import type { Roster } from '../fleet/placement/roster.ts';
import { activityGroup } from './activity-group.ts';

export interface NodeDeps {
  database: Database;
  roster: Roster;
  connect(registration: NodeRegistration): Promise<FleetNode & { hostKey: string }>;
}

/** Nodes come, are looked at again, and go. */
export function createNodeActivities({ database, roster, connect }: NodeDeps) {
  return activityGroup({
    async registerNode(registration: NodeRegistration): Promise<NodeRecord> {
      const { name, ssh, labels } = registration;
      const known = await getNode(database, name);
      if (known && !sameMachine(known, registration)) {
        throw new HelixError(
          'node.name-taken',
          `a node named ${name} is registered already: choose another --name, or remove it first with "helix nodes remove ${name}"`,
        );
      }
      const node = await connect(registration);
      const record: NodeRecord = {
        name,
        ssh,
        hostKey: node.hostKey,
        slots: registration.slots ?? node.facts.cpus,
        labels,
        facts: node.facts,
        state: 'healthy',
        busy: 0,
        probedAt: new Date().toISOString(),
      };
      try {
        await saveNode(database, record);
      } catch (error) {
        await node.close();
        throw error;
      }
      await roster.add(record, node);
      return record;
    },

    async probeNode(name: string): Promise<NodeRecord> {
      const known = await getNode(database, name);
      if (!known) throw new HelixError('node.not-found', `there is no node named ${name}: "helix nodes" lists them`);
      const node = roster.get(name);
      if (!node)
        throw new HelixError(
          'node.unreachable',
          `node ${name} is not connected${known.reason ? `: ${known.reason}` : ''}`,
        );
      const facts = await node.probe();
      const record: NodeRecord = { ...known, facts, state: 'healthy', probedAt: new Date().toISOString() };
      delete record.reason;
      await saveNode(database, record, { onlyKnown: true });
      roster.refresh(record);
      return record;
    },

    async removeNode(name: string): Promise<void> {
      const existed = await removeNode(database, name);
      await roster.remove(name);
      if (!existed) throw new HelixError('node.not-found', `there is no node named ${name}: "helix nodes" lists them`);
    },
  });
}

/** Registering a machine again under its own name renews its record. */
function sameMachine(known: NodeRecord, { ssh }: NodeRegistration): boolean {
  return known.ssh?.host === ssh.host && known.ssh.port === ssh.port && known.ssh.user === ssh.user;
}

import type { Permissions } from '../contracts/agent.ts';
import type { SnapshotChange, SnapshotId } from '../contracts/snapshot.ts';
import { editSnapshot } from '../snapshots/edit.ts';
import type { SnapshotStore } from '../snapshots/store.ts';
import { decide } from './permissions.ts';

/**
 * What a command, or another agent, made of the workspace, with every change undone that a rule denies: what a program does cannot be read off its
 * command, but it can be seen in its result.
 */
export async function undoDenied(
  store: SnapshotStore,
  permissions: Permissions,
  tool: string,
  before: SnapshotId,
  after: SnapshotId,
): Promise<{ snapshot: SnapshotId; undone: SnapshotChange[] }> {
  const mayDeny = permissions.rules.some((rule) => rule.decision === 'deny' && !rule.command && !rule.host);
  if (before === after || !mayDeny) return { snapshot: after, undone: [] };
  // The rules alone, as in the mode that allows all else.
  const rules: Permissions = { ...permissions, mode: 'full' };
  const undone = (await store.diff(before, after)).filter(
    ({ path }) => decide(rules, { tool, kind: 'edit', path }).decision === 'deny',
  );
  if (undone.length === 0) return { snapshot: after, undone };
  const changes = undone.map(({ path, change }) =>
    change === 'added' ? { path, content: null } : { path, from: path, of: before },
  );
  return { snapshot: await editSnapshot(store, after, changes), undone };
}

import { z } from 'zod';

/**
 * The id of a snapshot: the git object id (SHA-1, 40 hex digits) of its wrapping tree in the project's store.
 * The wrapping tree has the entry `root` (the workspace's files) and, only when there is something to say that git trees
 * cannot hold (empty folders), the entry `meta` (a JSON blob).
 */
export const snapshotIdSchema = z.string().regex(/^[0-9a-f]{40}$/, 'a snapshot id is 40 hexadecimal digits');
export type SnapshotId = z.infer<typeof snapshotIdSchema>;

/** Names a project's store: lower-case letters, digits and dashes. Derived from the repository's path or address. */
export const projectIdSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,79}$/, 'a project id is made of lower-case letters, digits and dashes, 80 at most');
export type ProjectId = z.infer<typeof projectIdSchema>;

/** Where a job's first snapshot comes from. Without `ref`, a local path gives the working tree with its uncommitted work. */
export const sourceSchema = z.object({
  /** An absolute local path or a URL git can fetch (https, http, ssh, git, file, or scp-like `host:path`). */
  location: z.string().min(1),
  ref: z.string().min(1).optional(),
});
export type Source = z.infer<typeof sourceSchema>;

/** What became of a source. */
export interface ImportedSource {
  snapshot: SnapshotId;
  /** The commit the snapshot was made from or stands on; null in a repository without commits. */
  commit: string | null;
  /** Whether the snapshot has work that is in no commit. */
  dirty: boolean;
}

/** One changed path between two snapshots. Paths are workspace-relative, with `/`. */
export interface SnapshotChange {
  path: string;
  change: 'added' | 'deleted' | 'modified' | 'type-changed';
}

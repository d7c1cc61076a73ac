import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { SnapshotId } from '../contracts/snapshot.ts';
import type { IndexEntry } from './git-index.ts';
import { writeWhole } from './repository-files.ts';
import type { IndexedTree } from './scan.ts';
import type { SnapshotStore } from './store.ts';
import type { TreeNamesCache } from './tree-names.ts';

/** What restoring and capturing work on. */
export interface Checkout {
  store: SnapshotStore;
  dir: string;
  record: WorkspaceRecord;
  tree: IndexedTree;
  names: TreeNamesCache;
  /** What the workspace was opened with. */
  exclude: string[];
}

/** What is known of a workspace between two calls, also across processes. */
export interface WorkspaceState {
  /** The snapshot the index holds; null when it may hold anything. */
  base: SnapshotId | null;
  /** Paths the base was restored or captured without, as given. */
  exclude: string[];
  /** Files of the base below `exclude`: they are in neither the index nor the work tree. */
  hidden: IndexEntry[];
  /** Output trees that were laid over the base. */
  inputs: SnapshotId[];
  /** Topmost paths that exist because of `inputs`. */
  laid: string[];
  /** Paths captured as outputs since the last restore. */
  declared: string[];
  /** Tree whose checkout was begun; it may have put files there that the index does not know. */
  pending: string | null;
}

const initialState: WorkspaceState = {
  base: null,
  exclude: [],
  hidden: [],
  inputs: [],
  laid: [],
  declared: [],
  pending: null,
};

/** The folder in a store that keeps the indexes and the state of one workspace. */
export class WorkspaceRecord {
  readonly folder: string;
  readonly indexFile: string;
  /** The index of the laid output trees. */
  readonly overlayIndexFile: string;
  state: WorkspaceState = initialState;

  constructor(storeDir: string, workspaceDir: string) {
    const name = createHash('sha256').update(workspaceDir).digest('hex').slice(0, 16);
    // Git's garbage collection spares what an index below worktrees/ names, and no other.
    this.folder = join(storeDir, 'worktrees', name);
    this.indexFile = join(this.folder, 'index');
    this.overlayIndexFile = join(this.folder, 'overlay.index');
  }

  static async open(storeDir: string, workspaceDir: string): Promise<WorkspaceRecord> {
    const record = new WorkspaceRecord(storeDir, workspaceDir);
    await mkdir(record.folder, { recursive: true });
    const files = {
      commondir: '../..\n',
      gitdir: `${workspaceDir}/.git\n`,
      HEAD: 'ref: refs/heads/none\n',
      locked: 'helix\n',
    };
    const present = new Set(await readdir(record.folder));
    for (const [name, content] of Object.entries(files)) {
      if (!present.has(name)) await writeWhole(join(record.folder, name), content);
    }
    // Left by a git that was killed; nobody else uses this workspace.
    for (const name of present) if (name.endsWith('.lock')) await rm(join(record.folder, name), { force: true });
    const text = await readFile(join(record.folder, 'helix.json'), 'utf8').catch(() => undefined);
    const state = text === undefined ? undefined : parseState(text);
    if (state) record.state = state;
    else await record.forget();
    return record;
  }

  async save(changes: Partial<WorkspaceState>): Promise<void> {
    this.state = { ...this.state, ...changes };
    await writeWhole(join(this.folder, 'helix.json'), JSON.stringify(this.state));
  }

  /** Starts anew: the next restore looks at every file. What were outputs stays known. */
  async forget(): Promise<void> {
    await rm(this.indexFile, { force: true });
    await this.save({ base: null, hidden: [], pending: null });
  }
}

function parseState(text: string): WorkspaceState | undefined {
  try {
    return { ...initialState, ...(JSON.parse(text) as WorkspaceState) };
  } catch {
    return undefined;
  }
}

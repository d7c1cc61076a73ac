import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openStore, type SnapshotStore } from '../../snapshots/store.ts';
import { openWorkspace, type Workspace } from '../../snapshots/workspace.ts';
import { readIfThere, writeAtomically, type Layout } from './layout.ts';

const rememberedSnapshots = 8;

/** A project's store on the node, with the snapshots it got last: what is sent next is sent as a difference to them. */
export interface ProjectStore {
  store: SnapshotStore;
  /** The checkout of a slot. `unchanged`: this agent was the last to use it, so that what it remembers of it holds. */
  workspace(dir: string, unchanged: boolean): Promise<Workspace>;
  recent(): string[];
  remember(...ids: string[]): void;
}

/** Opens each project's store once. `sharedDir` is the controller's own store when the node is the controller's machine. */
export class ProjectStores {
  readonly #layout: Layout;
  readonly #open = new Map<string, { opened: Promise<ProjectStore>; identity?: string | undefined }>();

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** What is remembered of a store holds for as long as it is the same one: meanwhile it may have been evicted and made anew. */
  get(project: string, sharedDir?: string): Promise<ProjectStore> {
    const dir = sharedDir ?? this.#layout.store(project);
    const known = this.#open.get(dir);
    if (known && (known.identity === undefined || known.identity === identityOf(dir))) return known.opened;
    const slots = this.#layout.slots(project);
    const entry: { opened: Promise<ProjectStore>; identity?: string | undefined } = {
      opened: openStore(dir).then((store) => {
        mkdirSync(slots, { recursive: true });
        const mark = cacheMark(this.#layout, project);
        if (sharedDir === undefined) writeFileSync(mark, '');
        else rmSync(mark, { force: true });
        entry.identity = identityOf(dir);
        return createProjectStore(store, join(slots, 'recent'));
      }),
    };
    this.#open.set(dir, entry);
    // A failed opening is tried again by the next step.
    entry.opened.catch(() => this.#open.delete(dir));
    return entry.opened;
  }

  /** What a store is believed to hold is looked at anew. */
  forget(project: string): void {
    this.#open.delete(this.#layout.store(project));
  }
}

/** Whether an agent has made the project's store, for itself. */
export function isCacheStore(layout: Layout, project: string): boolean {
  return existsSync(cacheMark(layout, project));
}

function cacheMark(layout: Layout, project: string): string {
  return join(dirname(layout.store(project)), 'cache');
}

/** Differs between two stores made one after the other in the same place, by a file that is written once. */
function identityOf(dir: string): string | undefined {
  const stat = statSync(join(dir, 'HEAD'), { throwIfNoEntry: false });
  return stat && `${stat.ino} ${stat.mtimeMs}`;
}

function createProjectStore(store: SnapshotStore, file: string): ProjectStore {
  let recent = (readIfThere(file) ?? '').split('\n').filter(Boolean);
  const workspaces = new Map<string, Promise<Workspace>>();
  return {
    store,
    workspace: (dir, unchanged) => {
      const opened = (unchanged ? workspaces.get(dir) : undefined) ?? openWorkspace(store, dir, { exclude: [] });
      workspaces.set(dir, opened);
      opened.catch(() => workspaces.delete(dir));
      return opened;
    },
    recent: () => recent,
    remember: (...ids) => {
      const news = ids.filter((id) => !recent.includes(id));
      if (news.length === 0) return;
      recent = [...news, ...recent].slice(0, rememberedSnapshots);
      writeAtomically(file, recent.join('\n'));
    },
  };
}

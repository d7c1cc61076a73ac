import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
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
  readonly #open = new Map<string, Promise<ProjectStore>>();

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  get(project: string, sharedDir?: string): Promise<ProjectStore> {
    const dir = sharedDir ?? this.#layout.store(project);
    let opened = this.#open.get(dir);
    if (!opened) {
      const slots = this.#layout.slots(project);
      opened = openStore(dir).then((store) => {
        mkdirSync(slots, { recursive: true });
        return createProjectStore(store, join(slots, 'recent'));
      });
      this.#open.set(dir, opened);
      // A failed opening is tried again by the next step.
      opened.catch(() => this.#open.delete(dir));
    }
    return opened;
  }
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

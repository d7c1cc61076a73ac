import type { ProjectId } from '../contracts/snapshot.ts';
import type { MarkerSearch, MergeInput } from '../contracts/workflow.ts';
import { leftMarkers } from '../snapshots/conflict-markers.ts';
import { mergeSnapshots, type SnapshotMerge } from '../snapshots/merge.ts';
import type { SnapshotStore } from '../snapshots/store.ts';
import { activityGroup } from './activity-group.ts';

export interface MergingDeps {
  stores(project: ProjectId): Promise<SnapshotStore>;
}

/** Puts together what agents made at the same time. */
export function createMergingActivities({ stores }: MergingDeps) {
  return activityGroup({
    async mergeWork({ project, ...sides }: MergeInput): Promise<SnapshotMerge> {
      return await mergeSnapshots(await stores(project), sides);
    },

    /** Where markers of a conflict are left in files: `path:line`, in the order of the paths. */
    async findMarkers({ project, ...search }: MarkerSearch): Promise<string[]> {
      return await leftMarkers(await stores(project), search);
    },
  });
}

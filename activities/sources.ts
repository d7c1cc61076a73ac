import { Context } from '@temporalio/activity';
import type { BlobStore } from '../blobs/blob-store.ts';
import { HelixError } from '../contracts/error.ts';
import { jobBranch } from '../contracts/derived.ts';
import type { ImportedSource, ProjectId, SnapshotId, Source } from '../contracts/snapshot.ts';
import type { Published, PublishInput } from '../contracts/workflow.ts';
import { publishBranch } from '../snapshots/publish.ts';
import { importSource } from '../snapshots/source.ts';
import type { SnapshotStore } from '../snapshots/store.ts';
import { activityGroup } from './activity-group.ts';

export interface SourceDeps {
  stores(project: ProjectId): Promise<SnapshotStore>;
  blobs: BlobStore;
}

/** Sources in, results out. */
export function createSourceActivities({ stores, blobs }: SourceDeps) {
  return activityGroup({
    async importSource({ project, source }: { project: ProjectId; source: Source }): Promise<ImportedSource> {
      const store = await stores(project);
      return await importSource(store, source, { signal: Context.current().cancellationSignal });
    },

    /** Blob hash of the patch between two snapshots; null when they are the same. */
    async makePatch(input: { project: ProjectId; from: SnapshotId; to: SnapshotId }): Promise<string | null> {
      const store = await stores(input.project);
      const changes = await store.patch(input.from, input.to);
      return changes.length > 0 ? await blobs.put(changes) : null;
    },

    /** Makes the job's branch in a local repository, and the patch from its source to its result. Safe to repeat. */
    async publish(input: PublishInput): Promise<Published> {
      const { jobId, project, source, imported, goal, checkpoints, force } = input;
      const store = await stores(project);
      const result = checkpoints.at(-1);
      if (!result) throw new HelixError('internal', `${jobId} has no checkpoint to publish`);
      const makePatch = async (): Promise<string | null> => {
        if (result.snapshot === imported.snapshot) return null;
        const changes = await store.patch(imported.snapshot, result.snapshot);
        return changes.length > 0 ? await blobs.put(changes) : null;
      };
      const makeBranch = async (): Promise<string | null> => {
        if (!isLocalPath(source.location)) return null;
        const branch = jobBranch(jobId);
        await publishBranch(store, {
          repository: source.location,
          branch,
          base: imported.commit,
          commits: checkpoints.map(({ snapshot, phase, title }) => ({
            snapshot,
            message:
              phase === 'source'
                ? 'Working tree as found'
                : `${title}\n\n${goal ? `Goal: ${goal}\n` : ''}Job: ${jobId}\n`,
          })),
          force,
        });
        return branch;
      };
      const [patch, branch] = await Promise.all([makePatch(), makeBranch()]);
      return { branch, patch };
    },
  });
}

function isLocalPath(location: string): boolean {
  return location.startsWith('/');
}

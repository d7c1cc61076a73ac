import type { BlobStore } from '../blobs/blob-store.ts';
import type { StepLogs } from '../blobs/step-logs.ts';
import { parseCapabilityClass } from '../contracts/capability-class.ts';
import { stepSucceeded } from '../contracts/derived.ts';
import type { NodeRecord } from '../contracts/node.ts';
import type { ProjectId } from '../contracts/snapshot.ts';
import type { StepResult, StepSpec } from '../contracts/step.ts';
import type { Database } from '../db/database.ts';
import { deleteStep, lookupSteps } from '../db/step-cache.ts';
import type { StepIdentity } from '../db/steps.ts';
import { satisfies } from '../fleet/capability.ts';
import { stepKey } from '../fleet/placement/step-key.ts';
import type { SnapshotStore } from '../snapshots/store.ts';
import type { FinishedStep } from './step-records.ts';

export interface CacheDeps {
  database: Database;
  blobs: BlobStore;
  logs: StepLogs;
  stores(project: ProjectId): Promise<SnapshotStore>;
}

export interface CacheQuestion {
  identity: StepIdentity;
  attempt: number;
  spec: StepSpec;
}

/**
 * Those of the steps that an equal step has answered before, with its result, to be recorded; its log is theirs from now on. A kept
 * result whose snapshot or log is gone is forgotten.
 */
export async function answerFromCache(
  deps: CacheDeps,
  nodes: readonly NodeRecord[],
  questions: readonly CacheQuestion[],
): Promise<FinishedStep[]> {
  const asked = questions
    .filter(({ spec }) => spec.cache !== 'off')
    .map((question) => ({ question, keys: possibleKeys(question.spec, nodes) }));
  const kept = await lookupSteps(
    deps.database,
    asked.flatMap(({ keys }) => keys),
  );
  const answers = await Promise.all(
    asked.map(async ({ question, keys }) => {
      const key = keys.find((one) => kept.has(one));
      if (key === undefined) return undefined;
      const result = kept.get(key)!;
      if (!stepSucceeded(result) && question.spec.cache !== 'all') return undefined;
      const log = await completeLog(deps, question.spec.project, result);
      if (!log) {
        await deleteStep(deps.database, key);
        return undefined;
      }
      await deps.logs.copyFrom(question.identity.executionId, log);
      const { identity, attempt } = question;
      return { identity, attempt, result: { ...result, cached: true } };
    }),
  );
  return answers.filter((answer) => answer !== undefined);
}

/** Keys of the step on each kind of node that could run it. */
function possibleKeys(spec: StepSpec, nodes: readonly NodeRecord[]): string[] {
  const atoms = parseCapabilityClass(spec.class);
  const serving = nodes.filter((node) => satisfies(node.facts, node.labels, atoms));
  return [...new Set(serving.map((node) => stepKey(spec, node.facts)))];
}

/** The log of a kept result; undefined when that or a snapshot of it is gone. */
async function completeLog(deps: CacheDeps, project: ProjectId, result: StepResult): Promise<Buffer | undefined> {
  const store = await deps.stores(project);
  const snapshots = [result.snapshot, ...(result.outputs ? [result.outputs] : [])];
  const present = await Promise.all(snapshots.map((id) => store.has(id)));
  return present.every(Boolean) ? await deps.blobs.get(result.log) : undefined;
}

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SnapshotId } from '../../contracts/snapshot.ts';
import { stepSpecSchema, type StepSpec } from '../../contracts/step.ts';
import type { ExecuteOptions, ExecutionOutcome, FleetNode } from '../../fleet/node.ts';
import { openStore, type SnapshotStore } from '../../snapshots/store.ts';
import { openWorkspace } from '../../snapshots/workspace.ts';
import { withTempDir } from '../support/temp-dir.ts';

/** A controller with one project in its store. */
export interface Project {
  dir: string;
  store: SnapshotStore;
  stores: () => Promise<SnapshotStore>;
  /** A snapshot of these files. */
  snapshot(files: Record<string, string>): Promise<SnapshotId>;
  /** A step on a snapshot of one file, unless told otherwise. */
  spec(shell: string, more?: Partial<StepSpec>): Promise<StepSpec>;
}

/** Watches closely, so that tests of leases and limits are short. */
export const quickTiming = { pollSeconds: 0.1, leaseSeconds: 1.5, graceSeconds: 0.5, pingMs: 200, pingTimeoutMs: 2000 };

export async function withProject<T>(use: (project: Project) => Promise<T>): Promise<T> {
  return withTempDir(async (dir) => {
    const store = await openStore(join(dir, 'controller-store'));
    let count = 0;
    const snapshot = async (files: Record<string, string>): Promise<SnapshotId> => {
      const folder = join(dir, `source-${(count += 1)}`);
      for (const [path, text] of Object.entries(files)) {
        await mkdir(dirname(join(folder, path)), { recursive: true });
        await writeFile(join(folder, path), text);
      }
      return (await openWorkspace(store, folder, { exclude: [] })).capture();
    };
    const spec = async (shell: string, more: Partial<StepSpec> = {}): Promise<StepSpec> =>
      stepSpecSchema.parse({
        project: 'sample',
        snapshot: more.snapshot ?? (await snapshot({ 'a.txt': 'a\n' })),
        command: { shell },
        class: 'any',
        ...more,
      });
    return use({ dir, store, stores: async () => store, snapshot, spec });
  });
}

export function newExecutionId(): string {
  return `test-${randomBytes(6).toString('hex')}`;
}

export interface Running {
  id: string;
  /** Aborts of this reach the execution. */
  control: AbortController;
  /** Resolves when the node has claimed the execution. */
  started: Promise<void>;
  outcome: Promise<ExecutionOutcome>;
  log(): string;
  /** Bytes got so far, whatever their offsets. */
  received(): number;
  /** Resolves once the log holds the text. */
  says(text: string): Promise<void>;
}

/** Starts an execution, or goes on with one, and checks that its log comes in order and without gaps. */
export function start(node: FleetNode, spec: StepSpec, more: Partial<ExecuteOptions> = {}): Running {
  const id = more.executionId ?? newExecutionId();
  const control = new AbortController();
  const chunks: Buffer[] = [];
  let position = more.logOffset ?? 0;
  const { promise: started, resolve: onStarted } = Promise.withResolvers<void>();
  const outcome = node.execute({
    executionId: id,
    spec,
    logOffset: 0,
    onStarted,
    signal: control.signal,
    ...more,
    onLog: async (chunk, offset) => {
      assert.equal(offset, position, 'a chunk of the log begins where the one before ended');
      position += chunk.length;
      chunks.push(Buffer.from(chunk));
      await more.onLog?.(chunk, offset);
    },
  });
  outcome.catch(() => {});
  const log = (): string => Buffer.concat(chunks).toString();
  const says = async (text: string): Promise<void> => {
    while (!log().includes(text)) await Promise.race([sleep(10), outcome.then(() => {})]);
  };
  return { id, control, started, outcome, log, says, received: () => position - (more.logOffset ?? 0) };
}

export async function runStep(
  node: FleetNode,
  spec: StepSpec,
  more: Partial<ExecuteOptions> = {},
): Promise<ExecutionOutcome & { log: string }> {
  const running = start(node, spec, more);
  const outcome = await running.outcome;
  await node.release(running.id);
  return { ...outcome, log: running.log() };
}

/** Fails unless the node's folder of executions is empty. */
export async function expectNoExecutions(root: string): Promise<void> {
  const left = await readdir(join(root, 'executions'));
  assert.deepEqual(
    left.filter((name) => !name.startsWith('.')),
    [],
  );
}

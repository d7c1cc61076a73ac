import { closeSync, mkdirSync, openSync, statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { SnapshotId } from '../../contracts/snapshot.ts';
import type { Workspace } from '../../snapshots/workspace.ts';
import type { ExecutionOutcome } from '../fleet-node.ts';
import { layerItem, slotItem } from './cache-items.ts';
import { CommandRun, hasRun, type RunResult } from './command-run.ts';
import { hasNoSpace, isDiskFull, metFullDisk, noteFullDisk } from './disk-full.ts';
import { stepEnvironment, type LoginEnvironment } from './environment.ts';
import { layerPaths, nodeLayerKey, placeLayers, type LayerWish } from './layers.ts';
import { hasCode, readIfThere, type Layout } from './layout.ts';
import { host } from './platform/host.ts';
import type { NodeCache } from './node-cache.ts';
import type { ProjectStore } from './project-stores.ts';
import type { ExecuteRequest } from './protocol.ts';
import { removedPrefix } from './set-aside.ts';
import type { Slot, SlotContent, Slots } from './slots.ts';
import type { AgentTiming } from './timing.ts';
import { resolveFolder } from './workspace-path.ts';
import { stampWorkspace } from './workspace-stamp.ts';

export interface ExecutionContext {
  layout: Layout;
  slots: Slots;
  timing: AgentTiming;
  login: LoginEnvironment;
  cache: NodeCache;
  /** What made layers depend on besides their own keys: system, C library, versions of the given programs. */
  toolchain(tools: string[]): Promise<string>;
}

/**
 * One execution on this node, driven by this agent. All that matters is in its folder, so that another agent can go on at any
 * point: `log`, `owner`, `lease`, `run-<name>.<n>` and, at the end, `result.json`.
 */
export class Execution {
  readonly id: string;
  readonly logFile: string;
  readonly logLimitBytes: number;
  /** For the log's readers: settled when the log is complete. */
  readonly ended: { done: boolean; promise: Promise<ExecutionOutcome> };
  readonly #context: ExecutionContext;
  readonly #request: ExecuteRequest;
  readonly #project: ProjectStore;
  readonly #folder: string;
  readonly #cancelled = new AbortController();
  #run: CommandRun | undefined;

  constructor(context: ExecutionContext, request: ExecuteRequest, project: ProjectStore) {
    this.#context = context;
    this.#request = request;
    this.#project = project;
    this.id = request.executionId;
    this.logLimitBytes = request.logLimitBytes;
    this.#folder = context.layout.execution(this.id);
    this.logFile = join(this.#folder, 'log');
    const promise = this.#drive();
    this.ended = { done: false, promise };
    const done = (): void => {
      this.ended.done = true;
    };
    promise.then(done, done);
  }

  /** Ends the command, or keeps it from starting; the outcome then has the end `cancelled`. */
  cancel(): void {
    this.#cancelled.abort(new Cancelled());
    void this.#run?.stop('cancelled');
  }

  async #drive(): Promise<ExecutionOutcome> {
    const { spec } = this.#request;
    const wishes = await this.#layerWishes();
    const layerKeys = wishes.map(({ key }) => key);
    const slot = this.#context.slots.claim(spec.project, this.id, { snapshot: spec.snapshot, layerKeys });
    const release = this.#context.cache.hold(slotItem(spec.project, slot.number));
    try {
      const workspace = await this.#project.workspace(slot.workspace, slot.isOurs);
      const outcome = await this.#runCommand(slot, workspace, wishes).catch((error: unknown) => {
        if (!(error instanceof Cancelled)) throw error;
        return this.#outcomeWithoutCapture({ end: 'cancelled', exitCode: null, durationMs: 0 });
      });
      writeFileSync(join(this.#folder, 'result.json'), `${JSON.stringify(outcome)}\n`);
      const isCutOff = metFullDisk(this.#folder);
      if (isCutOff) slot.setContent(undefined);
      slot.free(isCutOff);
      return outcome;
    } catch (error) {
      // The slot is kept: with space on the disk again, whoever asks anew may still get what the command has made.
      if (isDiskFull(error)) noteFullDisk(this.#folder);
      throw error;
    } finally {
      release();
    }
  }

  async #runCommand(slot: Slot, workspace: Workspace, wishes: LayerWish[]): Promise<ExecutionOutcome> {
    const { spec } = this.#request;
    // An earlier agent's command is already in the workspace, or was: nothing may be moved any more.
    if (!hasRun(this.#folder, 'command')) {
      const failed = await this.#prepare(slot, workspace, wishes);
      if (failed) return this.#outcomeWithoutCapture(failed);
    }
    const layers = wishes.map(({ layer }) => layer);
    const before = slot.content();
    slot.setContent(undefined);
    const result = await this.#execute('command', spec.command, '', slot, layers, spec.env);
    if (hasNoSpace(slot.workspace)) noteFullDisk(this.#folder);
    if (result.end === 'cancelled' || result.end === 'lease-expired') return this.#outcomeWithoutCapture(result);

    const outputs = spec.outputs.length === 0 ? undefined : await workspace.captureOutputs(spec.outputs);
    const exact = spec.inputs.length === 0 && outputs === undefined;
    const snapshot = await this.#capture(slot, workspace, exact ? before : undefined, exact);
    this.#project.remember(snapshot, ...(outputs ? [outputs] : []));
    return { ...result, snapshot, ...(outputs ? { outputs } : {}), logBytes: statSync(this.logFile).size };
  }

  /** Most commands change nothing that a snapshot holds; then git need not be asked where the stamp says so. */
  async #capture(
    slot: Slot,
    workspace: Workspace,
    before: SlotContent | undefined,
    exact: boolean,
  ): Promise<SnapshotId> {
    const exclude = layerPaths(slot);
    const stamp = before?.exact ? stampWorkspace(slot.workspace, exclude) : undefined;
    const isUnchanged = stamp !== undefined && stamp === before?.stamp;
    const snapshot = isUnchanged ? before.snapshot : await workspace.capture({ exclude });
    slot.setContent({ snapshot, exact, stamp: snapshot === before?.snapshot ? stamp : undefined });
    return snapshot;
  }

  /** Sources, inputs and layers. Gives the failed install, if one failed. */
  async #prepare(slot: Slot, workspace: Workspace, wishes: LayerWish[]): Promise<ExecutionOutcomeStart | undefined> {
    const { spec } = this.#request;
    const restore = async (): Promise<void> => {
      this.#cancelled.signal.throwIfAborted();
      slot.setContent(undefined);
      await workspace.restore(spec.snapshot, {
        inputs: spec.inputs,
        exclude: layerPaths(slot),
        signal: this.#cancelled.signal,
      });
    };
    const content = slot.content();
    const isThere = content?.exact === true && content.snapshot === spec.snapshot && spec.inputs.length === 0;
    // With runs there, an earlier agent's install is or was at work in a restored workspace.
    if (!isThere && !hasRun(this.#folder)) await restore();
    if (wishes.length === 0 && Object.keys(slot.layers()).length === 0) return undefined;

    const { layout, cache } = this.#context;
    const { installed, failed } = await placeLayers({
      layout,
      executionId: this.id,
      slot,
      wishes,
      hold: (wish) => cache.hold(layerItem(wish.key), wish.layer.key),
      signal: this.#cancelled.signal,
      install: (wish) => this.#install(wish, wishes, slot),
    });
    if (failed) return { ...failed, end: failed.end === 'exited' ? 'install-failed' : failed.end };
    // What an install changed outside its layer would be in one node's snapshot and not in another's.
    if (installed) await restore();
    return undefined;
  }

  #install(wish: LayerWish, wishes: LayerWish[], slot: Slot): Promise<RunResult> {
    const place = wishes.indexOf(wish);
    const layers = wishes.slice(0, place + 1).map(({ layer }) => layer);
    const heading = `--- helix: installing ${wish.layer.name}: ${wish.layer.install.shell.split('\n')[0]}`;
    return this.#execute(`layer-${place}`, wish.layer.install, heading, slot, layers, {});
  }

  async #execute(
    name: string,
    command: { shell: string; cwd: string },
    heading: string,
    slot: Slot,
    layers: LayerWish['layer'][],
    env: Record<string, string>,
  ): Promise<RunResult> {
    // What an earlier agent started is picked up even so, to be ended.
    if (!hasRun(this.#folder, name)) this.#cancelled.signal.throwIfAborted();
    const temporary = join(this.#folder, 'tmp');
    mkdirSync(temporary, { recursive: true });
    const { timing, login } = this.#context;
    this.#run = new CommandRun({
      folder: this.#folder,
      name,
      shell: command.shell,
      cwd: resolveFolder(slot.workspace, command.cwd),
      env: stepEnvironment(login, slot.workspace, temporary, layers, env),
      heading,
      timeoutMs: this.#request.spec.timeoutMs,
      logLimitBytes: this.logLimitBytes,
      timing,
    });
    if (this.#cancelled.signal.aborted) void this.#run.stop('cancelled');
    return this.#run.finish();
  }

  async #layerWishes(): Promise<LayerWish[]> {
    const { layers, tools } = this.#request.spec;
    if (layers.length === 0) return [];
    const toolchain = await this.#context.toolchain(tools);
    return layers.map((layer) => ({ layer, key: nodeLayerKey(layer, toolchain) }));
  }

  #outcomeWithoutCapture(start: ExecutionOutcomeStart): ExecutionOutcome {
    return { ...start, snapshot: this.#request.spec.snapshot, logBytes: statSync(this.logFile).size };
  }
}

type ExecutionOutcomeStart = Pick<ExecutionOutcome, 'end' | 'exitCode' | 'durationMs'>;

class Cancelled extends Error {
  override readonly name = 'Cancelled';
}

/** Makes the execution's folder, which claims it; completes it where an earlier agent died on the way. */
export function claimExecution(layout: Layout, { executionId }: ExecuteRequest): void {
  const folder = layout.execution(executionId);
  mkdirSync(folder, { recursive: true });
  closeSync(openSync(join(folder, 'log'), 'a'));
}

/** The result of an execution that has ended. */
export function readOutcome(layout: Layout, executionId: string): ExecutionOutcome | undefined {
  const text = readIfThere(join(layout.execution(executionId), 'result.json'));
  // Without the line break an agent died, or ran out of space, while it wrote.
  return text?.endsWith('\n') ? (JSON.parse(text) as ExecutionOutcome) : undefined;
}

/**
 * Forgets an execution. The folder is out of the way when this returns; its contents go afterwards, and what a dying agent leaves of
 * them is found by the clean-up under `removedPrefix`.
 */
export function removeExecution(layout: Layout, executionId: string): void {
  const removed = layout.execution(`${removedPrefix}${executionId}`);
  try {
    host.rename(layout.execution(executionId), removed);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  rm(removed, { recursive: true, force: true, maxRetries: 3 }).catch(() => {});
}

import { z } from 'zod';
import { capabilityClassSchema } from './capability-class.ts';
import { projectIdSchema, snapshotIdSchema } from './snapshot.ts';

/** A command for a POSIX shell (`sh -c`), run in `cwd` below the workspace's root. */
export const commandSchema = z.object({
  shell: z.string().min(1),
  /** Workspace-relative, `.` for the root. */
  cwd: z.string().default('.'),
});
export type Command = z.infer<typeof commandSchema>;

/**
 * What a project keeps out of git but cannot run without (node_modules, a virtual environment).
 * A node makes it by running `install` in the workspace, keeps a copy under `key`, and never lets it into a snapshot.
 */
export const layerSchema = z.object({
  name: z.string().min(1),
  /** SHA-256 over the lock files or manifests, the install command and its folder; the node's toolchain is added by the node. */
  key: z.string().regex(/^[0-9a-f]{64}$/),
  install: commandSchema,
  /** Workspace-relative folders the layer consists of; a path that `install` did not make is ignored. */
  paths: z.array(z.string().min(1)).min(1),
  /** Given to the layer's own install and to every step that names the layer. `PATH` is put in front of the node's own. Relative entries are below the workspace. */
  env: z.record(z.string(), z.string()).default({}),
});
export type Layer = z.infer<typeof layerSchema>;

/** What a step asks of its node beside its class; what is left out is one slot's worth. */
export const resourcesSchema = z.strictObject({
  /** Processors, at least. */
  cores: z.number().positive().max(4096).optional(),
  /** Bytes, at least. */
  memory: z.number().int().positive().optional(),
  /** Nothing else may run on the node meanwhile. */
  exclusive: z.boolean().optional(),
});
export type Resources = z.infer<typeof resourcesSchema>;

/** A step: a pure function from snapshots to snapshots. */
export const stepSpecSchema = z.object({
  project: projectIdSchema,
  snapshot: snapshotIdSchema,
  command: commandSchema,
  /** The step's own variables, on top of the node's allow-list (PATH, HOME, LANG, TMPDIR, ...). */
  env: z.record(z.string(), z.string()).default({}),
  layers: z.array(layerSchema).default([]),
  /** Output trees of earlier steps, laid over the sources in this order. */
  inputs: z.array(snapshotIdSchema).default([]),
  /** Workspace-relative files or folders to capture as an output tree, whether git ignores them or not. */
  outputs: z.array(z.string().min(1)).default([]),
  /** Programs whose versions belong to the cache key, e.g. `node`, `go`. */
  tools: z.array(z.string().min(1)).default([]),
  class: capabilityClassSchema,
  resources: resourcesSchema.optional(),
  /** Limit for the command itself; the installation of layers has the same limit of its own. */
  timeoutMs: z
    .number()
    .int()
    .positive()
    .default(30 * 60_000),
  /** A successful result is looked up first and kept afterwards. `all` keeps failures too, `off` does neither. */
  cache: z.enum(['on', 'all', 'off']).default('on'),
});
export type StepSpec = z.infer<typeof stepSpecSchema>;

/** Why a step's command ended. `exited` has an exit code; the others were ended by the node. */
export const stepEndSchema = z.enum(['exited', 'timeout', 'lease-expired', 'cancelled', 'log-limit', 'install-failed']);
export type StepEnd = z.infer<typeof stepEndSchema>;

export const stepResultSchema = z.object({
  end: stepEndSchema,
  /** The command's exit code (128 + signal number when a signal ended it); null unless `end` is `exited` or `install-failed`. */
  exitCode: z.number().int().nullable(),
  snapshot: snapshotIdSchema,
  /** The captured output tree; absent when no declared output existed. */
  outputs: snapshotIdSchema.optional(),
  /** SHA-256 of the log in the blob store. */
  log: z.string(),
  logBytes: z.number().int().nonnegative(),
  node: z.string(),
  cached: z.boolean(),
  /** Time of the command itself, without queueing and transfer; of the original run when cached. */
  durationMs: z.number().int().nonnegative(),
});
export type StepResult = z.infer<typeof stepResultSchema>;

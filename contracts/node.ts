import { z } from 'zod';

export const nodeNameSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
    'a node name is made of letters, digits, dots, dashes and underscores, 63 at most',
  );

export const gpuSchema = z.object({
  vendor: z.enum(['nvidia', 'amd', 'apple']),
  name: z.string().optional(),
  /** Bytes; of an Apple GPU the memory it shares with the processors. */
  memory: z.number().int().positive().optional(),
});
export type Gpu = z.infer<typeof gpuSchema>;

/** What a node was detected to have. */
export const nodeFactsSchema = z.object({
  /** `process.platform` of the node: linux, darwin, freebsd, openbsd, win32. */
  os: z.string().min(1),
  /** `process.arch` of the node: x64, arm64. */
  arch: z.string().min(1),
  /** Version of the kernel, as `uname -r` prints it. */
  kernel: z.string().optional(),
  /** The distribution: `{ id: 'debian', version: '12', name: 'Debian GNU/Linux 12 (bookworm)' }`, macOS has the id `macos`. */
  release: z.object({ id: z.string(), version: z.string(), name: z.string() }).optional(),
  /** The C library on Linux, where programs made for one do not run with the other. */
  libc: z.object({ name: z.enum(['glibc', 'musl']), version: z.string() }).optional(),
  hostname: z.string(),
  cpus: z.number().int().positive(),
  cpuModel: z.string().optional(),
  /** Bytes; less than the machine has where a control group limits it. */
  memory: z.number().int().positive(),
  /** Bytes of the file system where the node keeps its cache. */
  diskTotal: z.number().int().nonnegative().optional(),
  /** Free bytes there. */
  diskFree: z.number().int().nonnegative(),
  /** Version by program, e.g. `{ node: '24.21.0', go: '1.26.8' }`; a program that is there without a readable version has an empty string. */
  tools: z.record(z.string(), z.string()),
  gpus: z.array(gpuSchema).default([]),
  /** Which machine this is, until it is started anew, and which folder of it the node uses: two nodes with both the same are one. */
  machine: z.object({ id: z.string(), folder: z.string() }).optional(),
  /** Milliseconds from the controller to the node and back, measured by the controller. */
  latencyMs: z.number().nonnegative().optional(),
});
export type NodeFacts = z.infer<typeof nodeFactsSchema>;

export const hostKeyPolicySchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('known-hosts'), file: z.string().min(1) }),
  z.object({
    kind: z.literal('fingerprint'),
    sha256: z
      .string()
      .regex(/^SHA256:[A-Za-z0-9+/]{43}=?$/, 'a fingerprint looks like SHA256: and 43 base64 characters'),
  }),
  /** Trust the key seen on the first connection and pin it. */
  z.object({ kind: z.literal('accept-new') }),
]);
export type HostKeyPolicy = z.infer<typeof hostKeyPolicySchema>;

export const sshTargetSchema = z.object({
  host: z.string().min(1),
  port: z.number().int().min(1).max(65_535).default(22),
  user: z.string().min(1),
  /** Path of a private key on the controller; without it the agent at SSH_AUTH_SOCK and the user's default keys are tried. */
  keyFile: z.string().min(1).optional(),
});
export type SshTarget = z.infer<typeof sshTargetSchema>;

/** What a user says to add a node. */
export const nodeRegistrationSchema = z.object({
  name: nodeNameSchema,
  ssh: sshTargetSchema,
  hostKey: hostKeyPolicySchema,
  slots: z.number().int().min(1).max(1024).optional(),
  labels: z.record(z.string().regex(/^[A-Za-z][A-Za-z0-9_.-]*$/), z.string()).default({}),
});
export type NodeRegistration = z.infer<typeof nodeRegistrationSchema>;

export const nodeStateSchema = z.enum(['healthy', 'unreachable']);
export type NodeState = z.infer<typeof nodeStateSchema>;

/** A registered node. `ssh` is absent for the controller's own machine. */
export const nodeRecordSchema = z.object({
  name: nodeNameSchema,
  ssh: sshTargetSchema.optional(),
  /** The pinned host key as `SHA256:...`; absent for the controller's own machine. */
  hostKey: z.string().optional(),
  slots: z.number().int().positive(),
  labels: z.record(z.string(), z.string()),
  facts: nodeFactsSchema,
  state: nodeStateSchema,
  /** Why the node is not healthy. */
  reason: z.string().optional(),
  busy: z.number().int().nonnegative().default(0),
  probedAt: z.iso.datetime(),
});
export type NodeRecord = z.infer<typeof nodeRecordSchema>;

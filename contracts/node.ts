import { z } from 'zod';
import { parseSize } from './size.ts';

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
  /** Bytes that the node's cache takes up, and what it may take up now. */
  cache: z.object({ bytes: z.number().int().nonnegative(), limitBytes: z.number().int().nonnegative() }).optional(),
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

const sshAddressSchema = z.object({
  host: z.string().min(1),
  port: z.number().int().min(1).max(65_535).default(22),
  user: z.string().min(1),
  /** Path of a private key on the controller; without it the agent at SSH_AUTH_SOCK and the user's default keys are tried. */
  keyFile: z.string().min(1).optional(),
  /** Where the passphrase of the key file is; never the passphrase itself, because this is stored. */
  passphrase: z
    .string()
    .regex(/^(env:[A-Za-z_][A-Za-z0-9_]*|file:\/.+)$/, 'a passphrase is named by env:VARIABLE or file:/absolute/path')
    .optional(),
});
export type SshAddress = z.infer<typeof sshAddressSchema>;

/** A host on the way to a node, with what its key is checked by; of a registered node always its fingerprint. */
export const sshJumpSchema = sshAddressSchema.extend({ hostKey: hostKeyPolicySchema });
export type SshJump = z.infer<typeof sshJumpSchema>;

export const sshTargetSchema = sshAddressSchema.extend({
  /** Hosts to go through, the first one first. */
  jumps: z.array(sshJumpSchema).max(8, 'at most 8 hosts on the way').optional(),
  /** Folder on the node for everything; `~/.helix` when left out. */
  root: z
    .string()
    .regex(/^(~\/|\/)[^\0\n]*[^/\0\n]$/, 'a root is a folder below ~/ or /')
    .optional(),
});
export type SshTarget = z.infer<typeof sshTargetSchema>;

export interface NodeRemoval {
  /** Remove Helix from the machine as well. */
  purge: boolean;
}

/** What is left in the node's folder after a purge, because it is not Helix's. */
export const removedNodeSchema = z.object({ left: z.array(z.string()) });
export type RemovedNode = z.infer<typeof removedNodeSchema>;

const slotsSchema = z.number().int().min(1).max(1024);
/** The label that limits a node's cache. */
export const cacheLimitLabel = 'cache-limit';

const labelsSchema = z
  .record(z.string().regex(/^[A-Za-z][A-Za-z0-9_.-]*$/), z.string())
  .refine(
    (labels) => parseSize(labels[cacheLimitLabel] ?? '0B') !== undefined,
    `the label ${cacheLimitLabel} is a size, such as 20GiB`,
  );

/** What a user says to add a node. */
export const nodeRegistrationSchema = z.object({
  name: nodeNameSchema,
  ssh: sshTargetSchema,
  hostKey: hostKeyPolicySchema,
  slots: slotsSchema.optional(),
  labels: labelsSchema.default({}),
});
export type NodeRegistration = z.infer<typeof nodeRegistrationSchema>;

export const cordonSchema = z.strictObject({ reason: z.string().min(1).max(500).default('by a user') });

export const drainSchema = z.strictObject({
  /** How long what runs may go on. */
  limitMs: z
    .number()
    .int()
    .nonnegative()
    .default(10 * 60_000),
  reason: z.string().min(1).max(500).default('by a user'),
});

/** What can be said of a node in one word: the most serious of what holds, in this order from the end. */
export const nodeStateSchema = z.enum(['healthy', 'degraded', 'cordoned', 'draining', 'quarantined', 'unreachable']);
export type NodeState = z.infer<typeof nodeStateSchema>;

/** How a node is, as the node-pool that is connected to it sees it. */
export const nodeConditionSchema = z.object({
  state: z.enum(['healthy', 'degraded', 'unreachable']),
  /** Why it is not healthy. */
  reason: z.string().optional(),
});
export type NodeCondition = z.infer<typeof nodeConditionSchema>;

/** A user keeps new steps off a node. */
export const nodeHoldSchema = z.object({ kind: z.enum(['cordoned', 'draining']), reason: z.string() });
export type NodeHold = z.infer<typeof nodeHoldSchema>;

/** New steps are kept off a node because of what it did. */
export const nodeQuarantineSchema = z.object({ reasons: z.array(z.string()), since: z.iso.datetime() });
export type NodeQuarantine = z.infer<typeof nodeQuarantineSchema>;

/** What a node was like at a moment, or over a period: then means, and the worst where it says so. */
export const nodeMetricsSchema = z.object({
  at: z.iso.datetime(),
  /** Seconds that it stands for; 0 for a moment. */
  period: z.number().int().nonnegative(),
  samples: z.number().int().positive(),
  /** Share of all processors that was busy, 0 to 1. */
  cpu: z.number(),
  cpuMax: z.number(),
  /** Load average over a minute; 0 where the system has none. */
  load: z.number(),
  loadMax: z.number(),
  /** Bytes, at the least. */
  memoryFree: z.number(),
  /** Bytes where the node keeps its cache, at the least. */
  diskFree: z.number(),
  /** Of a call to the node and back. */
  latencyMs: z.number(),
  latencyMaxMs: z.number(),
  /** The node's clock less the controller's. */
  clockOffsetMs: z.number(),
  /** Steps that it ran. */
  busy: z.number(),
});
export type NodeMetrics = z.infer<typeof nodeMetricsSchema>;

/** A change of a node's state. */
export const nodeEventSchema = z.object({
  at: z.iso.datetime(),
  state: nodeStateSchema,
  reason: z.string().optional(),
});
export type NodeEvent = z.infer<typeof nodeEventSchema>;

/** How the controller comes to a node: it is its own machine, it connects there by SSH, or the machine connects to it. */
export const nodeReachSchema = z.enum(['local', 'ssh', 'joined']);
export type NodeReach = z.infer<typeof nodeReachSchema>;

/** A registered node. */
export const nodeRecordSchema = z.object({
  name: nodeNameSchema,
  reach: nodeReachSchema,
  /** Of a node that is reached by SSH. */
  ssh: sshTargetSchema.optional(),
  /** The pinned host key as `SHA256:...`, of a node that is reached by SSH. */
  hostKey: z.string().optional(),
  slots: z.number().int().positive(),
  labels: z.record(z.string(), z.string()),
  facts: nodeFactsSchema,
  state: nodeStateSchema,
  /** Why the node is not healthy. */
  reason: z.string().optional(),
  /** When it came into this state. */
  since: z.iso.datetime(),
  hold: nodeHoldSchema.optional(),
  quarantine: nodeQuarantineSchema.optional(),
  /** The node-pool that is connected to it; absent while none is. */
  pool: z.string().optional(),
  /** The last that it said of itself. */
  metrics: nodeMetricsSchema.optional(),
  busy: z.number().int().nonnegative().default(0),
  probedAt: z.iso.datetime(),
});
export type NodeRecord = z.infer<typeof nodeRecordSchema>;

/** What a user says to have a token made with which one machine can join. */
export const nodeTokenRequestSchema = z.strictObject({
  /** Of the node; that of the machine when left out. */
  name: nodeNameSchema.optional(),
  slots: slotsSchema.optional(),
  labels: labelsSchema.default({}),
  expiresMs: z
    .number()
    .int()
    .min(1_000)
    .max(30 * 24 * 3_600_000)
    .default(3_600_000),
  /** `HOST` or `HOST:PORT` where the machine finds the controller; its own addresses when left out. */
  address: z.string().min(1).max(300).optional(),
});
export type NodeTokenRequest = z.infer<typeof nodeTokenRequestSchema>;

/** A new token. `token` is what the machine is given, and is shown this once. */
export const newNodeTokenSchema = z.object({
  id: z.string(),
  token: z.string(),
  addresses: z.array(z.string()),
  expiresAt: z.iso.datetime(),
});
export type NewNodeToken = z.infer<typeof newNodeTokenSchema>;

/** What is known of a token later. */
export const nodeTokenSchema = z.object({
  id: z.string(),
  state: z.enum(['open', 'used', 'expired', 'revoked']),
  name: nodeNameSchema.optional(),
  slots: slotsSchema.optional(),
  labels: z.record(z.string(), z.string()),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  usedAt: z.iso.datetime().optional(),
  /** The node that came of it. */
  node: z.string().optional(),
});
export type NodeToken = z.infer<typeof nodeTokenSchema>;

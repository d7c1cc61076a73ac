import { randomUUID } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { isAlive } from '../bootstrap/lock.mjs';
import { stackProcessSchema } from '../../contracts/stack.ts';
import type { StackProcess } from '../../contracts/stack.ts';

const identitySchema = z.object({ pid: z.number().int(), start: z.string() });

/** A port as it was asked for and as it was given, so that a new wish is heard and an old one keeps its port. */
const portSchema = z.object({ wanted: z.number().int(), given: z.number().int() });
export const portNames = ['postgres', 'temporal', 'temporalUi', 'api'] as const;
export type PortName = (typeof portNames)[number];

export const partNames = ['postgres', 'temporal', 'helix'] as const;
export type PartName = (typeof partNames)[number];

const partSchema = z.object({
  name: z.enum(partNames),
  state: stackProcessSchema.shape.state,
  address: z.string().nullable(),
  identity: identitySchema.nullable(),
  /** Why the part failed, from its log. */
  reason: z.string().optional(),
});
export type PartState = z.infer<typeof partSchema>;

/** What the supervisor writes down: enough to find the stack, to stop it, and to adopt it when the supervisor was killed. */
const stackFileSchema = z.object({
  version: z.literal(1),
  supervisor: identitySchema,
  /** Of the settings the stack was started with. */
  settings: z.string(),
  ports: z.partialRecord(z.enum(portNames), portSchema),
  apiUrl: z.string(),
  temporalAddress: z.string(),
  temporalUiUrl: z.string().nullable(),
  databaseUrl: z.string(),
  parts: z.array(partSchema),
});
export type StackFile = z.infer<typeof stackFileSchema>;

export function stateFilePath(home: string): string {
  return join(home, 'stack.json');
}

/** The recorded state; null when there is none or when it cannot be understood (it is written anew then). */
export function readStackFile(home: string): StackFile | null {
  try {
    return stackFileSchema.parse(JSON.parse(readFileSync(stateFilePath(home), 'utf8')));
  } catch {
    return null;
  }
}

/** Readable by the owner alone: the database's address holds its password. */
export function writeStackFile(home: string, file: StackFile): void {
  const draft = `${stateFilePath(home)}.${randomUUID()}`;
  writeFileSync(draft, JSON.stringify(file, null, 2), { mode: 0o600 });
  renameSync(draft, stateFilePath(home));
}

/** The processes of the stack as they are now: what the file calls running but is dead is stopped. */
export function listProcesses(file: StackFile): StackProcess[] {
  const supervised = isAlive(file.supervisor);
  const supervisor: StackProcess = {
    name: 'supervisor',
    pid: supervised ? file.supervisor.pid : null,
    state: supervised ? 'running' : 'stopped',
    address: null,
  };
  const parts = file.parts.map((part): StackProcess => {
    const { name, address } = part;
    if (part.state === 'external') return { name, pid: null, state: 'external', address };
    const alive = part.identity !== null && isAlive(part.identity);
    if (alive) return { name, pid: part.identity!.pid, state: part.state, address };
    const state = part.state === 'failed' ? 'failed' : supervised && part.state !== 'stopped' ? 'starting' : 'stopped';
    return { name, pid: null, state, address, ...(part.reason ? { reason: part.reason } : {}) };
  });
  return [supervisor, ...parts];
}

import { z } from 'zod';

/** One process of the stack, as `helix status --json` lists it. `address` is host:port or a URL; null when it listens nowhere. */
export const stackProcessSchema = z.object({
  name: z.enum(['supervisor', 'postgres', 'temporal', 'helix']),
  pid: z.number().int().nullable(),
  state: z.enum(['running', 'starting', 'stopped', 'failed', 'external']),
  address: z.string().nullable(),
  /** Why the process failed, from its log. */
  reason: z.string().optional(),
});
export type StackProcess = z.infer<typeof stackProcessSchema>;

import { z } from 'zod';
import { configSchema } from '../../config/schema.ts';

/** What `up` gives the supervisor on its standard input: it holds a password, so neither arguments nor variables will do. */
export const supervisorInputSchema = z.object({
  config: configSchema,
  settings: z.string(),
  /** Null when the Temporal server is not the embedded one. */
  temporalCli: z.string().nullable(),
  helixEntry: z.string().optional(),
});
export type SupervisorInput = z.infer<typeof supervisorInputSchema>;

import type { HelixClient } from '../../client/client.ts';
import type { NodeRecord, NodeRegistration } from '../../contracts/node.ts';
import { type Candidate, type HostKeyOptions, toRegistration } from './candidate.ts';
import type { Found } from './found.ts';

/** What became of one machine: `registration` in a dry run, `node` when it is one now, `reason` when it is not. */
export interface ImportResult {
  name: string;
  registration?: NodeRegistration;
  node?: NodeRecord;
  reason?: string;
}

/** So many are connected to at once: the first contact brings programs there. */
const atOnce = 8;

/**
 * Registers what was found, each machine by itself: one that fails is left out and hinders no other. Without a client nothing is done but
 * to check what would be asked. `told` gets each result as it comes.
 */
export async function registerAll(
  found: Found,
  options: HostKeyOptions,
  client: Pick<HelixClient, 'addNode'> | undefined,
  told: (result: ImportResult) => void,
): Promise<ImportResult[]> {
  const results: ImportResult[] = [];
  const tell = (result: ImportResult): void => {
    results.push(result);
    told(result);
  };
  for (const { name, reason } of found.refused) tell({ name, reason });
  const seen = new Set<string>();
  const waiting = found.candidates.values();
  const oneAfterTheOther = async (): Promise<void> => {
    for (const candidate of waiting) {
      const { name } = candidate;
      if (seen.has(name)) tell({ name, reason: 'another machine of this import has the same name' });
      else {
        seen.add(name);
        tell(await register(candidate, options, client));
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, oneAfterTheOther));
  return results;
}

async function register(
  candidate: Candidate,
  options: HostKeyOptions,
  client: Pick<HelixClient, 'addNode'> | undefined,
): Promise<ImportResult> {
  const { name } = candidate;
  try {
    const registration = await toRegistration(candidate, options);
    return client ? { name, node: await client.addNode(registration) } : { name, registration };
  } catch (error) {
    return { name, reason: (error as Error).message };
  }
}

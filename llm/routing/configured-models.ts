import type { ModelInfo } from '../../contracts/llm.ts';
import { knownModels } from '../models/catalog.ts';
import type { ProviderPool } from '../provider-pool.ts';

const listingMs = 10_000;
/** What these have is what somebody put there; the catalog only knows names. */
const ownModels = new Set(['ollama', 'compatible', 'llamacpp']);

/** The models of all configured providers, as far as they are known or can be asked for. A model on this machine is there when no provider is elsewhere. */
export async function configuredModels(pool: ProviderPool): Promise<ModelInfo[]> {
  const configured = await pool.configured();
  const remote = configured.filter((name) => name !== 'llamacpp');
  const lists = (remote.length > 0 ? remote : configured).map(async (name) => {
    const known = ownModels.has(name) ? [] : knownModels(name);
    if (known.length > 0) return known;
    // One that does not answer has nothing to choose from now.
    const provider = await pool.get(name).catch(() => undefined);
    return (await provider?.getModels({ signal: AbortSignal.timeout(listingMs) }).catch(() => [])) ?? [];
  });
  return (await Promise.all(lists)).flat();
}

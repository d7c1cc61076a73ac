import { HelixError } from '../../contracts/error.ts';
import type { ModelInfo } from '../../contracts/llm.ts';
import { nearestNames } from '../../contracts/nearest-names.ts';

export interface ModelName {
  provider: string;
  /** As the provider names it; may have `/` of its own. */
  model: string;
}

/**
 * Reads `provider/model`. Throws HelixError `usage.invalid` for any other form, with the names among `known` that may have been meant.
 */
export function parseModelName(name: string, known: readonly string[] = []): ModelName {
  const slash = name.indexOf('/');
  const provider = name.slice(0, Math.max(slash, 0));
  const model = name.slice(slash + 1);
  if (/^[a-z][a-z0-9-]*$/.test(provider) && model.trim() !== '') return { provider, model };
  throw new HelixError(
    'usage.invalid',
    `"${name}" is no name of a model: it is written provider/model, e.g. anthropic/claude-sonnet-4-5${didYouMean(name, known)}`,
    { details: { model: name } },
  );
}

export function modelNameOf(info: Pick<ModelInfo, 'provider' | 'id'>): string {
  return `${info.provider}/${info.id}`;
}

/** `; did you mean a or b?`, or nothing when no known name is near. */
export function didYouMean(name: string, known: readonly string[]): string {
  const near = nearestNames(name, known);
  return near.length === 0 ? '' : `; did you mean ${near.join(' or ')}?`;
}

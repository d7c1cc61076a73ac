import { ApplicationFailure } from '@temporalio/common';
import { HelixError } from '../contracts/error.ts';
import type { LlmRequest, Message, ModelInfo } from '../contracts/llm.ts';
import type { ModelCallInput } from '../contracts/workflow.ts';
import type { Database } from '../db/database.ts';
import { openCircuits } from '../db/llm-providers.ts';
import type { TokenEstimator } from '../llm/context/tokens.ts';
import { modelInfo } from '../llm/models/catalog.ts';
import type { ProviderPool } from '../llm/provider-pool.ts';
import { configuredModels } from '../llm/routing/configured-models.ts';
import { modelNameOf, parseModelName } from '../llm/routing/model-name.ts';
import { hasImages, lacks, type ModelNeeds } from '../llm/routing/needs.ts';
import { type Candidate, route } from '../llm/routing/route.ts';

/** Another model is to be asked, or none for a while. */
export type Elsewhere =
  { kind: 'route'; model: string; reason: string } | { kind: 'wait'; waitMs: number; isLong: false; reason: string };

/** Of a context, kept free because tokens are estimated; as much as when it is divided. */
const marginShare = 0.04;

/** What a conversation asks of a model, whole as it is. */
export function needsOf(
  messages: readonly Message[],
  { system, tools, maxTokens }: Pick<LlmRequest, 'system' | 'tools'> & { maxTokens: number },
  estimator: TokenEstimator,
): ModelNeeds {
  const prompt = estimator.text(system) + estimator.tools(tools) + estimator.messages(messages);
  return {
    tools: tools.length > 0,
    vision: hasImages(messages),
    tokens: Math.ceil((prompt + maxTokens) / (1 - marginShare)),
  };
}

/**
 * Where a call has to go instead; undefined when its model is the one for it. Throws `llm.unsupported` when no model there is can take it, as a failure that no
 * other model mends.
 */
export async function elsewhere(
  { pool, database }: { pool: ProviderPool; database: Database },
  { model: current, route: given }: Pick<ModelCallInput, 'model' | 'route'>,
  needs: ModelNeeds,
): Promise<Elsewhere | undefined> {
  if (!given) return undefined;
  const circuits = new Map((await openCircuits(database)).map(({ provider, waitMs }) => [provider, waitMs]));
  const candidate = (name: string, info: ModelInfo | undefined): Candidate => {
    const limitedMs = Math.max(0, (given.limits[name] ?? 0) - Date.now());
    return { name, info, waitMs: Math.max(limitedMs, circuits.get(parseModelName(name).provider) ?? 0) };
  };
  const chain = given.chain.map((name) => candidate(name, infoOf(name)));
  const others = chain.some(({ info }) => lacks(info, needs).length === 0) ? [] : await configuredModels(pool);
  const free = others.filter((info) => !given.without.includes(modelNameOf(info)));
  let found: ReturnType<typeof route>;
  try {
    const also = free.map((info) => candidate(modelNameOf(info), info));
    found = route(current, needs, chain, also);
  } catch (error) {
    if (!(error instanceof HelixError)) throw error;
    const { code, message } = error;
    throw ApplicationFailure.create({ type: code, message, nonRetryable: true, details: [{ holdsForAll: true }] });
  }
  if ('model' in found) return found.model === current ? undefined : { kind: 'route', ...found };
  // One whose provider alone is away is asked all the same: its attempts are counted, so that a job does not wait for ever.
  const isLimited = (given.limits[current] ?? 0) > Date.now();
  if (!isLimited && lacks(infoOf(current), needs).length === 0) return undefined;
  return {
    kind: 'wait',
    waitMs: found.waitMs,
    isLong: false,
    reason: 'the models that can go on are limited by their providers',
  };
}

function infoOf(name: string): ModelInfo | undefined {
  const { provider, model } = parseModelName(name);
  return modelInfo(provider, model);
}

import type { ModelInfo, ProviderCapabilities } from '../../../contracts/llm.ts';
import type { GgufFacts } from '../../../contracts/local-model.ts';

/** Longer than this an agent's conversation rarely gets, and the cache of a longer context takes memory from the start. */
const usualContext = 32_768;

export const llamaCppCapabilities: ProviderCapabilities = {
  streaming: true,
  tools: true,
  vision: false,
  thinking: true,
  promptCache: true,
  structuredOutput: true,
};

/** The context that a model is run with, memory permitting. */
export function contextOf(facts: GgufFacts, wished: number | undefined): number {
  return Math.min(facts.contextTokens ?? usualContext, wished ?? usualContext);
}

export function llamaCppModelInfo(id: string, facts: GgufFacts, contextTokens: number | undefined): ModelInfo {
  return {
    provider: 'llamacpp',
    id,
    ...(facts.name === undefined ? {} : { name: facts.name }),
    contextTokens: contextOf(facts, contextTokens),
    tools: true,
    vision: false,
    thinking: facts.thinking,
    structuredOutput: true,
    promptCache: true,
    price: { input: 0, output: 0 },
  };
}

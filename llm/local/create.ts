import type { Config } from '../../config/schema.ts';
import { buildsFor, detectMachine } from '../providers/llamacpp/builds.ts';
import { ensureRuntime } from '../providers/llamacpp/runtime.ts';
import { resolveSecret } from '../../config/secret.ts';
import { LocalModels } from './local-models.ts';

/** The local models of a configuration. A pull fetches llama.cpp too, so that the first call of the model does not wait for it. */
export function createLocalModels({ home, llm }: Pick<Config, 'home' | 'llm'>): LocalModels {
  const { hubUrl, hubToken, gpu } = llm.llamacpp;
  const { apiKey, ...ollama } = llm.ollama;
  return new LocalModels({
    home,
    hub: {
      url: hubUrl,
      token: hubToken === undefined ? undefined : resolveSecret('llm.llamacpp.hubToken', hubToken),
    },
    ollama: { ...ollama, apiKey: apiKey === undefined ? undefined : resolveSecret('llm.ollama.apiKey', apiKey) },
    prepare: async (onProgress, signal) => {
      const [best] = buildsFor(detectMachine(), gpu);
      if (best) await ensureRuntime(home, best, onProgress, signal);
    },
  });
}

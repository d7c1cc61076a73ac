import type { ShowResponse } from 'ollama';
import type { ModelInfo } from '../../../contracts/llm.ts';
import type { CallOptions, ProviderSettings } from '../../provider.ts';
import { positive } from '../openai/wire.ts';
import { beginOllamaCall } from './client.ts';
import type { OllamaCall } from './client.ts';

/** A model that Ollama has fetched. */
export interface LocalModel {
  info: ModelInfo;
  /** On disk. */
  sizeBytes: number;
  digest: string;
  family: string;
  /** E.g. `8.0B`. */
  parameters: string;
  /** E.g. `Q4_K_M`. */
  quantization: string;
}

/** How far a model is fetched; bytes are of the part under way, and missing where there is none. */
export interface PullProgress {
  /** In Ollama's words: `pulling manifest`, `pulling 6a0746a1ec1a`, `verifying sha256 digest`, `success`. */
  status: string;
  digest?: string;
  totalBytes?: number;
  completedBytes?: number;
}

/** The models Ollama has fetched, with what it says of each. */
export async function listLocalModels(settings: ProviderSettings, options: CallOptions = {}): Promise<LocalModel[]> {
  return withCall(settings, undefined, options, async ({ client }) => {
    const { models } = await client.list();
    return Promise.all(
      models.map(async (model) => {
        // A model that was removed a moment ago, or a server that cannot show it, leaves only what the list says.
        const shown = await client.show({ model: model.name }).catch(() => undefined);
        return {
          info: modelInfo(model.name, shown),
          sizeBytes: model.size,
          digest: model.digest,
          family: model.details.family ?? '',
          parameters: model.details.parameter_size ?? '',
          quantization: model.details.quantization_level ?? '',
        };
      }),
    );
  });
}

/** What a model can do. Throws `llm.model-not-found` when it is not fetched. */
export async function showLocalModel(
  settings: ProviderSettings,
  model: string,
  options: CallOptions = {},
): Promise<ModelInfo> {
  return withCall(settings, model, options, async ({ client }) => modelInfo(model, await client.show({ model })));
}

/** Fetches a model, or the rest of it. Throws `llm.model-not-found` when the hub has none of that name. */
export async function* pullModel(
  settings: ProviderSettings,
  model: string,
  options: CallOptions = {},
): AsyncGenerator<PullProgress, void> {
  const call = beginOllamaCall(settings, model, { ...options, streams: true });
  try {
    for await (const { status, digest, total, completed } of await call.client.pull({ model, stream: true })) {
      call.answered();
      yield {
        status,
        ...(digest ? { digest } : {}),
        ...(total === undefined ? {} : { totalBytes: total }),
        ...(completed === undefined ? {} : { completedBytes: completed }),
      };
    }
  } catch (thrown) {
    throw call.failure(thrown);
  } finally {
    call.end();
  }
}

/** Removes a model. Throws `llm.model-not-found` when it is not fetched. */
export async function deleteLocalModel(
  settings: ProviderSettings,
  model: string,
  options: CallOptions = {},
): Promise<void> {
  await withCall(settings, model, options, async ({ client }) => client.delete({ model }));
}

async function withCall<T>(
  settings: ProviderSettings,
  model: string | undefined,
  options: CallOptions,
  use: (call: OllamaCall) => Promise<T>,
): Promise<T> {
  const call = beginOllamaCall(settings, model, options);
  try {
    return await use(call);
  } catch (thrown) {
    throw call.failure(thrown);
  } finally {
    call.end();
  }
}

function modelInfo(id: string, shown: ShowResponse | undefined): ModelInfo {
  const capabilities = shown?.capabilities ?? [];
  const context = contextOf(shown);
  return {
    provider: 'ollama',
    id,
    ...(context === undefined ? {} : { contextTokens: context }),
    tools: capabilities.includes('tools'),
    vision: capabilities.includes('vision'),
    thinking: capabilities.includes('thinking'),
    structuredOutput: capabilities.length === 0 || capabilities.includes('completion'),
    promptCache: false,
  };
}

/** The context a model is run with, as its file says, else the longest it was trained for. */
function contextOf(shown: ShowResponse | undefined): number | undefined {
  const set = /^num_ctx\s+(\d+)/m.exec(shown?.parameters ?? '')?.[1];
  if (set !== undefined) return positive(Number(set));
  // The vendor's types say Map, but it is an object.
  const trained = Object.entries(shown?.model_info ?? {}).find(([name]) => name.endsWith('.context_length'));
  return positive(trained?.[1]);
}

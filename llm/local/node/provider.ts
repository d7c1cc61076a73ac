import type {
  LlmRequest,
  LlmResponse,
  LlmStreamEvent,
  ModelInfo,
  ProviderCapabilities,
  ProviderHealth,
} from '../../../contracts/llm.ts';
import type { CallOptions, LlmProvider } from '../../provider.ts';
import { finished } from '../../providers/call.ts';
import { llamaCppCapabilities } from '../../providers/llamacpp/model-info.ts';
import { placeOf } from '../place.ts';
import type { NodeModels } from './client.ts';

/** Gives the host of a node's models, and takes it back. */
export type AcquireHost = (node: string) => Promise<{ models: NodeModels; release(): void }>;

/** llama.cpp on nodes: `NAME@NODE` is asked of that node's host as `NAME`. */
export class NodeLlamaCpp implements LlmProvider {
  readonly name = 'llamacpp';
  readonly #acquire: AcquireHost;

  constructor(acquire: AcquireHost) {
    this.#acquire = acquire;
  }

  async generate(request: LlmRequest, options: CallOptions = {}): Promise<LlmResponse> {
    return finished({ provider: this.name, model: request.model, secrets: [] }, this.generateStream(request, options));
  }

  async *generateStream(request: LlmRequest, options: CallOptions = {}): AsyncGenerator<LlmStreamEvent, void> {
    const { name, node = '' } = placeOf(request.model);
    const { models, release } = await this.#acquire(node);
    const signal = options.signal ?? new AbortController().signal;
    try {
      for await (const event of models.generate({ ...request, model: name }, signal)) {
        if (event.type !== 'finish') yield event;
        else yield { type: 'finish', response: { ...event.response, model: request.model } };
      }
    } finally {
      release();
    }
  }

  /** None: what is on which node is on record elsewhere. */
  getModels(): Promise<ModelInfo[]> {
    return Promise.resolve([]);
  }

  getCapabilities(): ProviderCapabilities {
    return llamaCppCapabilities;
  }

  getHealth(): Promise<ProviderHealth> {
    return Promise.resolve({ status: 'healthy', checkedAt: new Date().toISOString() });
  }

  isAvailable(): Promise<boolean> {
    return Promise.resolve(true);
  }

  async close(): Promise<void> {
    // The host belongs to whoever gives it.
  }
}

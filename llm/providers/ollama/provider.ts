import type {
  LlmRequest,
  LlmResponse,
  LlmStreamEvent,
  ModelInfo,
  ProviderCapabilities,
  ProviderHealth,
} from '../../../contracts/llm.ts';
import type { CallOptions, LlmProvider, ProviderSettings } from '../../provider.ts';
import { finished, healthOf } from '../call.ts';
import { OllamaAnswer } from './answer.ts';
import { beginOllamaCall } from './client.ts';
import { listLocalModels } from './models.ts';
import { chatRequest } from './request.ts';

/** How long health may take. */
const healthTimeoutMs = 5_000;

/** Ollama, on this machine unless the settings say otherwise; a key is needed only behind a proxy that asks for one. */
export function openOllama(settings: ProviderSettings): LlmProvider {
  return new OllamaProvider(settings);
}

class OllamaProvider implements LlmProvider {
  readonly name = 'ollama';
  readonly #settings: ProviderSettings;

  constructor(settings: ProviderSettings) {
    this.#settings = settings;
  }

  async generate(request: LlmRequest, options: CallOptions = {}): Promise<LlmResponse> {
    // A slow machine thinks longer than Node's fetch waits for the beginning of an answer that comes in one piece.
    return finished({ provider: this.name, model: request.model, secrets: [] }, this.generateStream(request, options));
  }

  async *generateStream(request: LlmRequest, options: CallOptions = {}): AsyncGenerator<LlmStreamEvent, void> {
    const call = beginOllamaCall(this.#settings, request.model, { ...options, streams: true });
    try {
      const answer = new OllamaAnswer(request, call.context);
      for await (const piece of await call.client.chat({ ...chatRequest(request), stream: true })) {
        call.answered();
        yield* answer.add(piece);
      }
      yield { type: 'finish', response: answer.finish() };
    } catch (thrown) {
      throw call.failure(thrown);
    } finally {
      call.end();
    }
  }

  async getModels(options: CallOptions = {}): Promise<ModelInfo[]> {
    return (await listLocalModels(this.#settings, options)).map(({ info }) => info);
  }

  getCapabilities(): ProviderCapabilities {
    return {
      streaming: true,
      tools: true,
      vision: true,
      thinking: true,
      promptCache: false,
      structuredOutput: true,
    };
  }

  async getHealth(options: CallOptions = {}): Promise<ProviderHealth> {
    return healthOf(async () => {
      const call = beginOllamaCall({ ...this.#settings, timeoutMs: healthTimeoutMs }, undefined, options);
      try {
        await call.client.list();
      } catch (thrown) {
        throw call.failure(thrown);
      } finally {
        call.end();
      }
    });
  }

  async isAvailable(options: CallOptions = {}): Promise<boolean> {
    return (await this.getHealth(options)).status === 'healthy';
  }

  async close(): Promise<void> {
    // Nothing stays open between calls.
  }
}

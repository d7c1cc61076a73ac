import type { LlmRequest, ModelInfo } from '../../../contracts/llm.ts';
import type { WireModel, WireUsage } from './wire.ts';

/** The body of a request, before and after a server's differences. */
export type WireBody = Record<string, unknown>;

/** In what one server that speaks OpenAI's chat completions differs from the others. */
export interface Dialect {
  /** Name of the provider: owner of what is opaque, and key of its options in a request. */
  readonly name: string;
  readonly systemRole: 'system' | 'developer';
  readonly maxTokensField: 'max_tokens' | 'max_completion_tokens';
  /**
   * Which messages of the model get their reasoning back. `turn`: those since the last message of the user, as open reasoning models are trained
   * (some servers refuse older reasoning).
   */
  readonly replayReasoning: 'never' | 'turn' | 'always';
  /** Some old servers refuse `stream_options`, by which usage is asked for. */
  readonly asksForUsage: boolean;
  /** The last word on the body: how thinking is asked for, what a model cannot take, caching. */
  adapt(body: WireBody, request: LlmRequest): WireBody;
  /** US dollars, where the server says what a call cost. */
  reportedCost?(usage: WireUsage): number | undefined;
  modelInfo(entry: WireModel): ModelInfo;
}

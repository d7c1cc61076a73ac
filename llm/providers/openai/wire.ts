// The parts of OpenAI's wire formats that are read here, as loosely as servers that copy them write them.

export interface WireToolCall {
  index?: number | null;
  id?: string | null;
  function?: { name?: string | null; arguments?: string | Record<string, unknown> | null } | null;
}

/** A message of an answer, or a piece of one. Whatever is named like reasoning differs from server to server. */
export interface WireDelta {
  content?: string | { type?: string; text?: string }[] | null;
  refusal?: string | null;
  tool_calls?: WireToolCall[] | null;
  [key: string]: unknown;
}

export interface WireChoice {
  delta?: WireDelta | null;
  message?: WireDelta | null;
  finish_reason?: string | null;
  /** OpenRouter: as the model's own provider calls it. */
  native_finish_reason?: string | null;
  /** vLLM: the stop sequence that was met. */
  stop_reason?: unknown;
}

export type WireUsage = Record<string, unknown>;

/** A whole chat completion, or a chunk of one. */
export interface WireCompletion {
  id?: string | null;
  model?: string | null;
  choices?: WireChoice[] | null;
  usage?: WireUsage | null;
}

/** One model of a `/models` list; beside `id` everything differs. */
export interface WireModel {
  id: string;
  [key: string]: unknown;
}

/** The member of an object of unknown shape. */
export function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

/** A positive whole number, or undefined for everything else. */
export function positive(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : undefined;
}

/** The text, or no text for everything else. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

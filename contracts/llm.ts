import { z } from 'zod';

// The neutral form of what models are asked and what they answer. Every provider is translated to and from it; what a provider needs back
// exactly as it gave it travels along in `opaque`.

const jsonSchema: z.ZodType<JsonValue> = z.json();
export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue };

/**
 * Data of one provider on a part of a message: signatures of thinking, thought signatures, reasoning items. It is given back to that provider
 * unchanged and never shown to another.
 */
export const opaqueSchema = z.object({ provider: z.string(), data: jsonSchema });
export type Opaque = z.infer<typeof opaqueSchema>;
const opaque = { opaque: opaqueSchema.optional() };

export const textPartSchema = z.object({ type: z.literal('text'), text: z.string(), ...opaque });
export type TextPart = z.infer<typeof textPartSchema>;

/**
 * Image bytes in base64; `mediaType` is that of PNG, JPEG, GIF or WebP. In a stored conversation `data` is empty and `blob` the hash of the bytes: they
 * are filled in when a model is asked.
 */
export const imagePartSchema = z.object({
  type: z.literal('image'),
  mediaType: z.enum(['image/png', 'image/jpeg', 'image/gif', 'image/webp']),
  data: z.base64(),
  blob: z.string().optional(),
  ...opaque,
});
export type ImagePart = z.infer<typeof imagePartSchema>;

/** What a model thought, as far as its provider shows it; empty text with `opaque` where it shows nothing but wants it back. */
export const thinkingPartSchema = z.object({ type: z.literal('thinking'), text: z.string(), ...opaque });

export const toolCallPartSchema = z.object({
  type: z.literal('tool-call'),
  /** Unique within the conversation; made up here where the provider gives none. */
  id: z.string().min(1),
  name: z.string().min(1),
  /** As the model wrote them: not yet checked against the tool's schema. Text that was no JSON stays a string. */
  arguments: jsonSchema,
  ...opaque,
});
export type ToolCallPart = z.infer<typeof toolCallPartSchema>;

export const toolResultPartSchema = z.object({
  type: z.literal('tool-result'),
  callId: z.string().min(1),
  name: z.string().min(1),
  content: z.array(z.discriminatedUnion('type', [textPartSchema, imagePartSchema])),
  isError: z.boolean().default(false),
});
export type ToolResultPart = z.infer<typeof toolResultPartSchema>;

/**
 * `user` holds text and images, `assistant` what a model said (text, thinking, tool calls, in its order), `tool` the results of the calls
 * of the message before it. Instructions for the model are not a message: see `LlmRequest.system`.
 */
export const messageSchema = z.discriminatedUnion('role', [
  z.object({
    role: z.literal('user'),
    content: z.array(z.discriminatedUnion('type', [textPartSchema, imagePartSchema])).min(1),
  }),
  z.object({
    role: z.literal('assistant'),
    content: z.array(z.discriminatedUnion('type', [textPartSchema, thinkingPartSchema, toolCallPartSchema])),
  }),
  z.object({ role: z.literal('tool'), content: z.array(toolResultPartSchema).min(1) }),
]);
export type Message = z.infer<typeof messageSchema>;
export type AssistantMessage = Extract<Message, { role: 'assistant' }>;
export type AssistantPart = AssistantMessage['content'][number];

export const toolDefinitionSchema = z.object({
  name: z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/, 'letters, digits, _ and -, at most 64'),
  description: z.string(),
  /** JSON Schema of an object. */
  parameters: z.record(z.string(), jsonSchema),
});
export type ToolDefinition = z.infer<typeof toolDefinitionSchema>;

/** `auto`: the model decides; `required`: it has to call one (ANY); `none`: it must not; or the one tool named. */
export const toolChoiceSchema = z.union([z.enum(['auto', 'required', 'none']), z.object({ tool: z.string() })]);
export type ToolChoice = z.infer<typeof toolChoiceSchema>;

/** `auto`: when words in the last user message ask for it; `model`: as the model does by itself. `budgetTokens` defaults to 80% of `maxTokens`. */
export const thinkingSchema = z.object({
  mode: z.enum(['off', 'auto', 'model', 'on']).default('auto'),
  effort: z.enum(['low', 'medium', 'high']).optional(),
  budgetTokens: z.number().int().positive().optional(),
});
export type Thinking = z.infer<typeof thinkingSchema>;

export const llmRequestSchema = z.object({
  /** The provider's own name of the model, without the provider. */
  model: z.string().min(1),
  /** Instructions, the stable part first: where the provider caches prompts, it caches up to the end of it. */
  system: z.string().default(''),
  messages: z.array(messageSchema).min(1),
  tools: z.array(toolDefinitionSchema).default([]),
  toolChoice: toolChoiceSchema.default('auto'),
  /** Of the answer, thinking included. */
  maxTokens: z.number().int().positive().optional(),
  temperature: z.number().min(0).max(2).optional(),
  topP: z.number().min(0).max(1).optional(),
  stop: z.array(z.string().min(1)).max(4).default([]),
  thinking: thinkingSchema.prefault({}),
  /** The answer is JSON of this schema. */
  responseSchema: z.record(z.string(), jsonSchema).optional(),
  /** Marks the stable prefix (system, tools, messages so far) for the provider's prompt cache. */
  cache: z.boolean().default(true),
  /** Settings only one provider has, by its name: `{ gemini: { safetySettings: [...] } }`. */
  providerOptions: z.record(z.string(), z.record(z.string(), jsonSchema)).default({}),
});
export type LlmRequest = z.infer<typeof llmRequestSchema>;
export type LlmRequestInput = z.input<typeof llmRequestSchema>;

/** Tokens of one call. `input` counts all of the prompt, also what came from or went into the cache; `output` includes `thinking`. */
export const usageSchema = z.object({
  input: z.number().int().nonnegative(),
  output: z.number().int().nonnegative(),
  thinking: z.number().int().nonnegative().default(0),
  cacheRead: z.number().int().nonnegative().default(0),
  cacheWrite: z.number().int().nonnegative().default(0),
  /** In US dollars as the provider itself reports it; otherwise it is computed from the price list. */
  reportedCost: z.number().nonnegative().optional(),
});
export type Usage = z.infer<typeof usageSchema>;

/** `refusal`: the model or its provider declined (safety); `context`: the prompt and answer outgrew the context window. */
export const stopReasonSchema = z.enum(['end', 'tool-calls', 'max-tokens', 'stop-sequence', 'refusal', 'context']);
export type StopReason = z.infer<typeof stopReasonSchema>;

export const llmResponseSchema = z.object({
  provider: z.string(),
  /** As the provider names what answered: may be more exact than what was asked for. */
  model: z.string(),
  /** The provider's id of the answer; empty where it gives none. */
  id: z.string(),
  message: messageSchema.options[1],
  stopReason: stopReasonSchema,
  usage: usageSchema,
});
export type LlmResponse = z.infer<typeof llmResponseSchema>;

/** What a stream gives, in order; the last is `finish` with the whole answer, or the stream throws. */
export type LlmStreamEvent =
  | { type: 'text'; text: string }
  | { type: 'thinking'; text: string }
  /** A call begins, and its arguments come as pieces of JSON text. */
  | { type: 'tool-call'; id: string; name: string }
  | { type: 'tool-arguments'; id: string; text: string }
  | { type: 'finish'; response: LlmResponse };

const rates = {
  input: z.number().nonnegative(),
  output: z.number().nonnegative(),
  cacheRead: z.number().nonnegative().optional(),
  cacheWrite: z.number().nonnegative().optional(),
};

/** US dollars for a million tokens. `longPrompt` holds for the whole of a call whose prompt has more than `aboveTokens`. */
export const priceSchema = z.object({
  ...rates,
  longPrompt: z.object({ aboveTokens: z.number().int().positive(), ...rates }).optional(),
});
export type Price = z.infer<typeof priceSchema>;

export const modelInfoSchema = z.object({
  provider: z.string(),
  id: z.string(),
  name: z.string().optional(),
  /** Tokens of prompt and answer together. */
  contextTokens: z.number().int().positive().optional(),
  maxOutputTokens: z.number().int().positive().optional(),
  tools: z.boolean(),
  vision: z.boolean(),
  thinking: z.boolean(),
  /** Obeys a JSON schema for its whole answer. */
  structuredOutput: z.boolean(),
  promptCache: z.boolean(),
  price: priceSchema.optional(),
});
export type ModelInfo = z.infer<typeof modelInfoSchema>;

/** What a provider's interface can do at all, whatever the model. */
export interface ProviderCapabilities {
  streaming: boolean;
  tools: boolean;
  vision: boolean;
  thinking: boolean;
  promptCache: boolean;
  structuredOutput: boolean;
}

export interface ProviderHealth {
  status: 'healthy' | 'degraded' | 'unreachable' | 'unconfigured';
  /** A sentence when it is not healthy. */
  reason?: string;
  latencyMs?: number;
  checkedAt: string;
}

import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { llmRequestSchema } from '../../contracts/llm.ts';
import type { LlmProvider } from '../../llm/provider.ts';

/** The models that are asked for, by the interface they are asked with. */
export const models = { openai: 'gpt-4.1', anthropic: 'claude-opus-4-8' } as const;
export type Wire = keyof typeof models;

/** Of the provider, and of a gateway that wants one of its own. */
export const benchKey = 'sk-bench';

/** Times of one streamed call, in milliseconds from its beginning. */
export interface CallTimes {
  firstToken: number;
  whole: number;
}
export type Call = () => Promise<CallTimes>;

const system = 'You carry out development tasks on a git repository. '.repeat(40);
const prompt = 'Say which words come to your mind.';
const maxTokens = 4_096;
/** What the server streams, so that a way that loses something is not measured but refused. */
const answerLength = Array.from({ length: 200 }, (_, index) => ` word${index}`).join('').length;

/** The bare SDK, at the provider itself or at a gateway. */
export function sdkCall(wire: Wire, url: string, headers: Record<string, string> = {}): Call {
  return wire === 'openai' ? openAiCall(url, headers) : anthropicCall(url, headers);
}

function openAiCall(url: string, headers: Record<string, string>): Call {
  const client = new OpenAI({
    baseURL: `${url}/v1`,
    apiKey: benchKey,
    defaultHeaders: headers,
    maxRetries: 0,
    logLevel: 'off',
  });
  return () =>
    timed(async function* () {
      const stream = await client.chat.completions.create({
        model: models.openai,
        messages: [
          { role: 'developer', content: system },
          { role: 'user', content: prompt },
        ],
        max_completion_tokens: maxTokens,
        stream: true,
        stream_options: { include_usage: true },
      });
      for await (const chunk of stream) yield chunk.choices[0]?.delta.content ?? '';
    });
}

function anthropicCall(url: string, headers: Record<string, string>): Call {
  const client = new Anthropic({
    baseURL: url,
    apiKey: benchKey,
    defaultHeaders: headers,
    maxRetries: 0,
    logLevel: 'off',
  });
  return () =>
    timed(async function* () {
      const stream = await client.messages.create({
        model: models.anthropic,
        system,
        messages: [{ role: 'user', content: prompt }],
        max_tokens: maxTokens,
        stream: true,
      });
      for await (const event of stream)
        yield event.type === 'content_block_delta' && event.delta.type === 'text_delta' ? event.delta.text : '';
    });
}

/** A provider as HelixCode calls it. */
export function providerCall(wire: Wire, provider: LlmProvider): Call {
  return () =>
    timed(async function* () {
      const request = llmRequestSchema.parse({
        model: models[wire],
        system,
        messages: [{ role: 'user', content: [{ type: 'text', text: prompt }] }],
        maxTokens,
      });
      for await (const event of provider.generateStream(request)) yield event.type === 'text' ? event.text : '';
    });
}

async function timed(call: () => AsyncIterable<string>): Promise<CallTimes> {
  const startedAt = performance.now();
  let firstToken: number | undefined;
  let text = '';
  for await (const piece of call()) {
    if (piece !== '') firstToken ??= performance.now() - startedAt;
    text += piece;
  }
  if (firstToken === undefined || text.length !== answerLength)
    throw new Error(`an answer of ${answerLength} characters came as one of ${text.length}`);
  return { firstToken, whole: performance.now() - startedAt };
}

import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { HelixError } from '../../../contracts/error.ts';
import type { ErrorCode } from '../../../contracts/error.ts';
import { llmRequestSchema } from '../../../contracts/llm.ts';
import type { LlmRequest, LlmRequestInput, LlmResponse, LlmStreamEvent } from '../../../contracts/llm.ts';

/** A key that must turn up in requests alone. */
export const canaryKey = 'canary-key-7f3d9b1c5e';

/** A request with its defaults filled in; a text stands for one user message. */
export function request(
  model: string,
  prompt: string | LlmRequestInput['messages'],
  more: Partial<LlmRequestInput> = {},
): LlmRequest {
  const messages =
    typeof prompt === 'string'
      ? [{ role: 'user' as const, content: [{ type: 'text' as const, text: prompt }] }]
      : prompt;
  return llmRequestSchema.parse({ model, messages, ...more });
}

export async function collect(stream: AsyncIterable<LlmStreamEvent>): Promise<LlmStreamEvent[]> {
  const events: LlmStreamEvent[] = [];
  for await (const event of stream) events.push(event);
  return events;
}

/** What the last event of a stream holds. */
export function answerOf(events: readonly LlmStreamEvent[]): LlmResponse {
  const last = events.at(-1);
  assert.ok(last?.type === 'finish', `the last event is ${last?.type ?? 'missing'}`);
  return last.response;
}

/** The text of an answer, without thinking. */
export function textOf(response: LlmResponse): string {
  return response.message.content.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

/** Waits for a HelixError of this code, and makes sure that no part of it holds the canary key. */
export async function failure(code: ErrorCode, call: Promise<unknown>): Promise<HelixError> {
  const error = await call.then(
    () => assert.fail(`expected ${code}, but the call succeeded`),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof HelixError, `expected a HelixError, got ${inspect(error)}`);
  assertNoCanary(error);
  assert.equal(error.code, code, error.message);
  return error;
}

/** No part of the value, however it is printed, holds the canary key. */
export function assertNoCanary(value: unknown): void {
  const printed = [
    inspect(value, { depth: 20, showHidden: true }),
    JSON.stringify(value),
    value instanceof Error ? value.stack : '',
  ];
  for (const text of printed) assert.ok(!text?.includes(canaryKey), `the key is in ${text}`);
}

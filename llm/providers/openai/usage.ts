import type { Usage } from '../../../contracts/llm.ts';
import { member } from './wire.ts';
import type { WireUsage } from './wire.ts';

/** Tokens of a chat completion; all of them zero where the server does not say. */
export function chatUsage(raw: WireUsage | null | undefined, cost?: number): Usage {
  const prompt = count(raw?.['prompt_tokens']);
  const completion = count(raw?.['completion_tokens']);
  const thinking = count(member(raw?.['completion_tokens_details'], 'reasoning_tokens'));
  const details = raw?.['prompt_tokens_details'];
  // xAI counts reasoning beside the completion, OpenAI within it; the total tells which.
  const output = Math.max(
    completion,
    count(raw?.['total_tokens']) === prompt + completion + thinking ? completion + thinking : 0,
  );
  const cacheRead =
    count(member(details, 'cached_tokens')) || count(raw?.['prompt_cache_hit_tokens']) || count(raw?.['cached_tokens']);
  return {
    input: prompt,
    output,
    thinking,
    cacheRead,
    cacheWrite: count(member(details, 'cache_write_tokens')) || count(member(details, 'cache_creation_input_tokens')),
    ...(cost === undefined ? {} : { reportedCost: cost }),
  };
}

/** Tokens of an answer of the Responses API. */
export function responsesUsage(raw: unknown): Usage {
  const details = member(raw, 'input_tokens_details');
  return {
    input: count(member(raw, 'input_tokens')),
    output: count(member(raw, 'output_tokens')),
    thinking: count(member(member(raw, 'output_tokens_details'), 'reasoning_tokens')),
    cacheRead: count(member(details, 'cached_tokens')),
    cacheWrite: count(member(details, 'cache_write_tokens')),
  };
}

function count(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? Math.round(value) : 0;
}

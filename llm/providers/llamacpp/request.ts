import type { JsonValue, LlmRequest } from '../../../contracts/llm.ts';
import { thinkingWish } from '../../thinking.ts';
import { unsupported } from '../errors.ts';
import type { ErrorContext } from '../errors.ts';
import { chatHistory } from './history.ts';
import { grammarSchema } from './schema.ts';
import type { GenerateTask } from './wire.ts';

/** What open models are commonly run with. */
const usual = { temperature: 0.7, topP: 0.9, minP: 0.05 };

/**
 * The request as the model's process takes it. `providerOptions.llamacpp` may have `seed`, `topK`, `minP` and `repeatPenalty`.
 * Throws `llm.unsupported` for images and `llm.invalid-request` never: a schema is checked where its grammar is made.
 */
export function generateTask(request: LlmRequest, context: ErrorContext): GenerateTask {
  if (request.messages.some((message) => message.content.some(hasImage)))
    throw unsupported(context, 'cannot look at images here: send the text alone, or ask a model of another provider');
  const { maxTokens, topP, temperature = usual.temperature } = request;
  const options = request.providerOptions['llamacpp'] ?? {};
  const functions = functionsOf(request);
  return {
    history: chatHistory(request),
    ...(functions ? { functions } : {}),
    mustCall: functions !== undefined && request.toolChoice !== 'auto',
    // A grammar for the whole answer leaves no room for calls, so tools come first while they may be called.
    ...(request.responseSchema && !functions ? { schema: grammarSchema(request.responseSchema) } : {}),
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...thoughts(request),
    temperature,
    topP: topP ?? usual.topP,
    minP: numberOf(options['minP']) ?? usual.minP,
    ...numbers(options, ['seed', 'topK', 'repeatPenalty']),
    stop: request.stop,
  };
}

function functionsOf({ tools, toolChoice }: LlmRequest): GenerateTask['functions'] {
  if (toolChoice === 'none') return undefined;
  const wanted = typeof toolChoice === 'object' ? tools.filter(({ name }) => name === toolChoice.tool) : tools;
  if (wanted.length === 0) return undefined;
  return Object.fromEntries(
    wanted.map(({ name, description, parameters }) => [
      name,
      { ...(description === '' ? {} : { description }), params: grammarSchema({ type: 'object', ...parameters }) },
    ]),
  );
}

function thoughts(request: LlmRequest): { thoughtTokens?: number } {
  // A grammar holds from the first token on, and would have the model think in JSON.
  if (request.responseSchema || thinkingWish(request).wanted === 'no') return { thoughtTokens: 0 };
  const { budgetTokens } = request.thinking;
  return budgetTokens === undefined ? {} : { thoughtTokens: budgetTokens };
}

function hasImage(part: LlmRequest['messages'][number]['content'][number]): boolean {
  return part.type === 'image' || (part.type === 'tool-result' && part.content.some((inner) => inner.type === 'image'));
}

function numbers<Name extends string>(options: Record<string, JsonValue>, names: Name[]): { [name in Name]?: number } {
  const found = names.flatMap((name) => (typeof options[name] === 'number' ? [[name, options[name]]] : []));
  return Object.fromEntries(found) as { [name in Name]?: number };
}

function numberOf(value: JsonValue | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

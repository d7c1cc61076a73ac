import { transformJSONSchema } from '@anthropic-ai/sdk/lib/transform-json-schema';
import type {
  MessageCreateParamsStreaming,
  OutputConfig,
  ThinkingConfigParam,
  Tool,
  ToolChoice,
} from '@anthropic-ai/sdk/resources/messages';
import type { LlmRequest } from '../../../contracts/llm.ts';
import { modelInfo } from '../../models/catalog.ts';
import { thinkingBudget, thinkingWish } from '../../thinking.ts';
import { markCache } from './cache.ts';
import { answersUnthought, providerName, toMessages } from './messages.ts';
import { modelRules } from './rules.ts';
import type { ModelRules } from './rules.ts';

/** Where the model has to obey a schema and cannot, it is made to call a tool of this name, whose arguments are the answer. */
export const answerTool = 'answer';

export interface AnthropicCall {
  body: MessageCreateParamsStreaming;
  betas: string[];
  /** The answer comes as arguments of the answer tool. */
  answersByTool: boolean;
}

/** Enough for a file to be written in one go, and what every model since Claude 4 can give. */
const defaultMaxTokens = 32_000;

/** The call for a request. `providerOptions.anthropic` is laid over its body; `betas` among them become headers. */
export function toCall(request: LlmRequest): AnthropicCall {
  const rules = modelRules(request.model);
  const known = modelInfo(providerName, request.model)?.maxOutputTokens;
  const maxTokens = request.maxTokens ?? Math.min(defaultMaxTokens, known ?? defaultMaxTokens);
  const answersByTool = request.responseSchema !== undefined && !rules.structuredOutput;
  const choice = toolChoice(request, rules, answersByTool);
  const messages = toMessages(request.messages, request.model);
  const mayThink = !isForced(choice) && !(rules.thinking === 'budget' && answersUnthought(messages));
  const thought = thinkingSettings(request, rules, maxTokens, mayThink);
  const prefix = {
    tools: tools(request, answersByTool),
    system: request.system.trim() === '' ? [] : [{ type: 'text' as const, text: request.system }],
    messages,
  };
  const cached = request.cache ? markCache(prefix) : prefix;
  const { betas = [], ...options } = request.providerOptions[providerName] ?? {};
  const output: OutputConfig = { ...thought.output, ...(answersByTool ? {} : outputFormat(request)) };
  const body: MessageCreateParamsStreaming = {
    model: request.model,
    max_tokens: maxTokens,
    stream: true,
    ...(cached.tools.length > 0 ? { tools: cached.tools, ...(choice ? { tool_choice: choice } : {}) } : {}),
    ...(cached.system.length > 0 ? { system: cached.system } : {}),
    messages: cached.messages,
    ...(request.stop.length > 0 ? { stop_sequences: request.stop } : {}),
    ...(thought.thinking ? { thinking: thought.thinking } : {}),
    ...(Object.keys(output).length > 0 ? { output_config: output } : {}),
    ...sampling(request, rules, thought.thinking),
    ...options,
  };
  const interleaved = rules.interleavedBeta && body.thinking?.type === 'enabled' && cached.tools.length > 0;
  return {
    body,
    betas: [
      ...(Array.isArray(betas) ? betas.map(String) : []),
      ...(interleaved ? ['interleaved-thinking-2025-05-14'] : []),
    ],
    answersByTool,
  };
}

function tools(request: LlmRequest, answersByTool: boolean): Tool[] {
  const given = request.tools.map(({ name, description, parameters }) => ({
    name,
    description,
    input_schema: { ...parameters, type: 'object' as const },
  }));
  if (!answersByTool) return given;
  const schema = request.responseSchema ?? {};
  return [
    ...given,
    { name: answerTool, description: 'Gives the answer.', input_schema: { ...schema, type: 'object' } },
  ];
}

/**
 * Models that cannot stop thinking refuse to be forced to a tool, so they are asked with `auto`. With an answer tool and other tools the model has to
 * call one of them.
 */
function toolChoice(request: LlmRequest, rules: ModelRules, answersByTool: boolean): ToolChoice | undefined {
  const { toolChoice: wished } = request;
  if (answersByTool) return request.tools.length > 0 ? { type: 'any' } : { type: 'tool', name: answerTool };
  if (wished === 'none') return { type: 'none' };
  if (wished === 'auto' || rules.thinking === 'always') return undefined;
  return wished === 'required' ? { type: 'any' } : { type: 'tool', name: wished.tool };
}

function isForced(choice: ToolChoice | undefined): boolean {
  return choice?.type === 'any' || choice?.type === 'tool';
}

/** A forced tool and thinking exclude each other; the tool was asked for explicitly, so it wins. */
function thinkingSettings(
  request: LlmRequest,
  rules: ModelRules,
  maxTokens: number,
  mayThink: boolean,
): { thinking?: ThinkingConfigParam; output: OutputConfig } {
  const { wanted, effort } = thinkingWish(request);
  if (rules.thinking === 'none') return { output: {} };
  if (rules.thinking === 'budget') {
    const budget = wanted === 'yes' && mayThink ? thinkingBudget(request.thinking.budgetTokens, maxTokens) : undefined;
    return { output: {}, ...(budget === undefined ? {} : { thinking: { type: 'enabled', budget_tokens: budget } }) };
  }
  const off = wanted === 'no' || !mayThink || (wanted === 'unsaid' && !rules.thinksByDefault);
  if (off && rules.thinking === 'adaptive') {
    return { output: {}, ...(rules.thinksByDefault ? { thinking: { type: 'disabled' } } : {}) };
  }
  const output: OutputConfig = off ? { effort: 'low' } : effort === undefined ? {} : { effort };
  return { output, thinking: { type: 'adaptive', display: 'summarized' } };
}

function outputFormat({ responseSchema }: LlmRequest): OutputConfig {
  return responseSchema ? { format: { type: 'json_schema', schema: transformJSONSchema(responseSchema) } } : {};
}

/** Thinking fixes the temperature, and temperature and top_p are not taken together. */
function sampling(
  { temperature, topP }: LlmRequest,
  rules: ModelRules,
  thinking: ThinkingConfigParam | undefined,
): { temperature?: number; top_p?: number } {
  if (!rules.sampling) return {};
  if (thinking !== undefined && thinking.type !== 'disabled')
    return topP !== undefined && topP >= 0.95 ? { top_p: topP } : {};
  if (temperature !== undefined) return { temperature: Math.min(temperature, 1) };
  return topP === undefined ? {} : { top_p: topP };
}

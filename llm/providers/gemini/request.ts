import { FunctionCallingConfigMode } from '@google/genai';
import type {
  GenerateContentConfig,
  GenerateContentParameters,
  ThinkingConfig,
  ThinkingLevel,
  ToolConfig,
} from '@google/genai';
import type { LlmRequest } from '../../../contracts/llm.ts';
import { modelInfo } from '../../models/catalog.ts';
import { thinkingBudget, thinkingWish } from '../../thinking.ts';
import { providerName, toContents } from './contents.ts';
import { modelRules, thinkingLevel } from './rules.ts';
import type { ModelRules } from './rules.ts';

/** The call for a request. `providerOptions.gemini` (safetySettings, cachedContent, seed …) is laid over its configuration. */
export function toCall(request: LlmRequest): GenerateContentParameters {
  const rules = modelRules(request.model);
  const config: GenerateContentConfig = {
    ...(request.system.trim() === '' ? {} : { systemInstruction: request.system }),
    // Tools and an answer by a schema exclude each other there; where no tool may be called, the schema wins.
    ...(request.tools.length === 0 || (request.responseSchema && request.toolChoice === 'none')
      ? {}
      : { tools: [{ functionDeclarations: declarations(request) }], toolConfig: toolConfig(request) }),
    ...(request.maxTokens === undefined ? {} : { maxOutputTokens: request.maxTokens }),
    ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
    ...(request.topP === undefined ? {} : { topP: request.topP }),
    ...(request.stop.length === 0 ? {} : { stopSequences: request.stop }),
    ...(request.responseSchema
      ? { responseMimeType: 'application/json', responseJsonSchema: request.responseSchema }
      : {}),
    ...thinkingSettings(request, rules),
    ...request.providerOptions[providerName],
  };
  return { model: request.model, contents: toContents(request.messages, rules), config };
}

function declarations({ tools }: LlmRequest): { name: string; description: string; parametersJsonSchema?: unknown }[] {
  return tools.map(({ name, description, parameters }) => ({ name, description, parametersJsonSchema: parameters }));
}

function toolConfig({ toolChoice }: LlmRequest): ToolConfig {
  if (typeof toolChoice === 'object') {
    return {
      functionCallingConfig: { mode: FunctionCallingConfigMode.ANY, allowedFunctionNames: [toolChoice.tool] },
    };
  }
  const modes = {
    auto: FunctionCallingConfigMode.AUTO,
    required: FunctionCallingConfigMode.ANY,
    none: FunctionCallingConfigMode.NONE,
  };
  return { functionCallingConfig: { mode: modes[toolChoice] } };
}

/** Without a wish the model does as it does by itself, and shows its thoughts. */
function thinkingSettings(request: LlmRequest, rules: ModelRules): { thinkingConfig?: ThinkingConfig } {
  const { wanted, effort } = thinkingWish(request);
  if (rules.thinking === 'none') return {};
  const includeThoughts = wanted !== 'no';
  if (rules.thinking === 'level') {
    const level = thinkingLevel(effort, wanted);
    return {
      thinkingConfig: { includeThoughts, ...(level === undefined ? {} : { thinkingLevel: level as ThinkingLevel }) },
    };
  }
  if (wanted === 'no') return { thinkingConfig: { includeThoughts, thinkingBudget: rules.leastBudget } };
  if (wanted === 'unsaid') return { thinkingConfig: { includeThoughts } };
  const maxTokens = request.maxTokens ?? modelInfo(providerName, request.model)?.maxOutputTokens ?? rules.mostBudget;
  const budget = thinkingBudget(request.thinking.budgetTokens, maxTokens);
  return {
    thinkingConfig: {
      includeThoughts,
      ...(budget === undefined ? {} : { thinkingBudget: Math.min(budget, rules.mostBudget) }),
    },
  };
}

import type { ModelInfo } from '../../../contracts/llm.ts';
import { modelInfo } from '../../models/catalog.ts';
import type { WireModel } from './wire.ts';

type Effort = 'none' | 'minimal' | 'low' | 'medium' | 'high';

/** Whether an OpenAI model thinks before it answers; those models take an effort, and no temperature. */
export function isReasoningModel(model: string): boolean {
  return /^(?:ft:)?(?:o\d|gpt-(?:[5-9]|\d\d)|codex)/.test(model) && !/-chat\b/.test(model);
}

/** The least effort the model can be told; undefined where it takes no less than its own. */
export function leastEffort(model: string): Effort | undefined {
  if (/-pro\b/.test(model)) return undefined;
  if (/codex/.test(model)) return 'low';
  if (/^gpt-(?:5\.\d|[6-9]|\d\d)/.test(model)) return 'none';
  return /^gpt-5/.test(model) ? 'minimal' : 'low';
}

/** OpenAI lists ids alone. What the catalog does not know is guessed from the name. */
export function openAiModelInfo(entry: WireModel): ModelInfo {
  const conversation =
    /^(?:ft:)?(?:gpt-|o\d|chatgpt-|codex)/.test(entry.id) &&
    !/(?:audio|realtime|transcribe|tts|image|instruct|search)/.test(entry.id);
  return {
    provider: 'openai',
    id: entry.id,
    tools: conversation,
    vision: conversation && !/^gpt-(?:3|4-0|4$)/.test(entry.id),
    thinking: isReasoningModel(entry.id),
    structuredOutput: conversation && !/^gpt-(?:3|4-|4$)/.test(entry.id),
    promptCache: conversation,
    ...modelInfo('openai', entry.id),
  };
}

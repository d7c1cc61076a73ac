import type { Message, ModelInfo } from '../../contracts/llm.ts';

/** What a request asks of a model. */
export interface ModelNeeds {
  tools: boolean;
  vision: boolean;
  /** Estimated tokens of the prompt and room for the answer, together. */
  tokens: number;
}

export function hasImages(messages: readonly Message[]): boolean {
  return messages.some((message) =>
    message.role === 'tool'
      ? message.content.some((result) => result.content.some((part) => part.type === 'image'))
      : message.content.some((part) => part.type === 'image'),
  );
}

/** What a model cannot do at all for the needs, for people. Of a model that nobody knows it is taken that it can. */
export function lacks(info: ModelInfo | undefined, needs: ModelNeeds): string[] {
  return [
    ...(needs.tools && info?.tools === false ? ['cannot use tools'] : []),
    ...(needs.vision && info?.vision === false ? ['cannot see images'] : []),
  ];
}

/** Assumed of a model whose context is not known: all models of today have it. */
export const usualContextTokens = 128_000;

export function hasRoom(info: ModelInfo | undefined, needs: ModelNeeds): boolean {
  return needs.tokens <= contextOf(info);
}

export function contextOf(info: ModelInfo | undefined): number {
  return info?.contextTokens ?? usualContextTokens;
}

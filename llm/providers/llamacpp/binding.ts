// What is used of node-llama-cpp. It is fetched when it is wanted, so that its own types are not there when Helix is checked.

export interface LlamaText {
  tokenize(tokenizer: unknown): unknown[];
}

/** JSON schema as llama.cpp's grammars know it. */
export type GrammarSchema = Record<string, unknown>;

export interface FunctionCallItem {
  type: 'functionCall';
  name: string;
  params: unknown;
  result: unknown;
  /** The call as the model wrote it, so that its tokens stay the same. */
  rawCall?: unknown;
}

export interface ThoughtItem {
  type: 'segment';
  segmentType: 'thought';
  text: string;
  ended: boolean;
}

export type ResponseItem = string | FunctionCallItem | ThoughtItem;

export type HistoryItem =
  { type: 'system'; text: string } | { type: 'user'; text: string } | { type: 'model'; response: ResponseItem[] };

export type ChatFunctions = Record<string, { description?: string; params?: GrammarSchema }>;

interface ContextState {
  contextText: LlamaText;
  [key: string]: unknown;
}

export interface ChatWrapper {
  generateContextState(options: {
    chatHistory: readonly HistoryItem[];
    availableFunctions?: ChatFunctions | undefined;
    documentFunctionParams?: boolean | undefined;
  }): ContextState;
}

interface TokenMeter {
  getState(): { usedInputTokens: number; usedOutputTokens: number };
}

export interface Sequence {
  tokenMeter: TokenMeter;
}

export interface ResponseChunk {
  type: 'segment' | undefined;
  segmentType: 'thought' | 'comment' | undefined;
  text: string;
  tokens: unknown[];
}

export interface GenerateOptions {
  signal: AbortSignal;
  maxTokens: number;
  temperature: number;
  topP?: number;
  topK?: number;
  minP?: number;
  seed?: number;
  repeatPenalty: false | { penalty: number };
  customStopTriggers?: string[];
  budgets?: { thoughtTokens: number };
  contextShift: { strategy(): never };
  onResponseChunk(chunk: ResponseChunk): void;
  grammar?: unknown;
  functions?: ChatFunctions;
  onFunctionCall?(call: { functionName: string; params: unknown; raw: unknown }): void;
}

export interface Chat {
  readonly chatWrapper: ChatWrapper;
  generateResponse(
    history: HistoryItem[],
    options: GenerateOptions,
  ): Promise<{
    metadata: {
      stopReason: 'eogToken' | 'stopGenerationTrigger' | 'functionCalls' | 'maxTokens' | 'abort' | 'customStopTrigger';
    };
  }>;
  dispose(): void;
}

export interface Model {
  tokenizer: unknown;
  gpuLayers: number;
  createContext(options: {
    contextSize: number;
    sequences: number;
    threads: number;
  }): Promise<{ contextSize: number; getSequence(): Sequence }>;
}

export interface Llama {
  gpu: string | false;
  /** Cores that are good at it: neither the slow ones nor the second thread of each. */
  cpuMathCores: number;
  loadModel(options: { modelPath: string }): Promise<Model>;
  createGrammarForJsonSchema(schema: GrammarSchema): Promise<unknown>;
}

export interface NodeLlamaCpp {
  getLlama(options: {
    gpu: string | false;
    build: 'never';
    skipDownload: true;
    progressLogs: false;
    logLevel: 'error';
    maxThreads: number;
  }): Promise<Llama>;
  LlamaChat: new (options: { contextSequence: Sequence; chatWrapper?: ChatWrapper }) => Chat;
  LlamaText(parts: unknown[]): LlamaText;
}

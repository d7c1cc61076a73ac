import type { ChatFunctions, GrammarSchema, HistoryItem } from './binding.ts';

// What Helix and the process of a model say to each other, one message of Node's IPC each.

export interface LoadTask {
  type: 'load';
  /** Folder with the node_modules that hold node-llama-cpp. */
  runtime: string;
  model: string;
  gpu: string | false;
  contextTokens: number;
  threads?: number;
}

/** One answer to be generated. A process does one after the other. */
export interface GenerateTask {
  history: HistoryItem[];
  functions?: ChatFunctions;
  /** The answer begins with a call. */
  mustCall: boolean;
  /** The answer is JSON of it. */
  schema?: GrammarSchema;
  maxTokens?: number;
  thoughtTokens?: number;
  temperature: number;
  topP?: number;
  topK?: number;
  minP?: number;
  seed?: number;
  repeatPenalty?: number;
  stop: string[];
}

export type ToModel = LoadTask | { type: 'generate'; id: number; task: GenerateTask } | { type: 'abort'; id: number };

export type ModelStop = 'end' | 'tool-calls' | 'max-tokens' | 'stop-sequence' | 'context';

export interface ModelUsage {
  input: number;
  output: number;
  thinking: number;
  cacheRead: number;
}

export type ModelEvent =
  | { type: 'text'; text: string }
  | { type: 'thinking'; text: string }
  | { type: 'call'; name: string; params: unknown; raw: unknown };

export type FromModel =
  | { type: 'loaded'; contextTokens: number; gpu: string | false }
  /** `no-build`: what was fetched does not run on this machine. */
  | { type: 'load-failed'; reason: 'no-build' | 'memory' | 'model'; message: string }
  | { type: 'event'; id: number; event: ModelEvent }
  | { type: 'done'; id: number; stop: ModelStop; usage: ModelUsage }
  /** `context`: the prompt does not fit; `schema`: no grammar can be made of it; `aborted`: as it was told. */
  | { type: 'failed'; id: number; reason: 'context' | 'schema' | 'aborted' | 'error'; message: string };

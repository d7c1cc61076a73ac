import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type {
  Chat,
  ChatWrapper,
  GenerateOptions,
  HistoryItem,
  Llama,
  Model,
  NodeLlamaCpp,
  Sequence,
} from './binding.ts';
import type { GenerateTask, LoadTask, ModelEvent, ModelStop, ModelUsage } from './wire.ts';

export class LoadFailure extends Error {
  readonly reason: 'no-build' | 'memory' | 'model';

  constructor(reason: 'no-build' | 'memory' | 'model', cause: unknown) {
    super((cause as Error).message, { cause });
    this.reason = reason;
  }
}

export class GenerateFailure extends Error {
  readonly reason: 'context' | 'schema';

  constructor(reason: 'context' | 'schema', message: string, cause?: unknown) {
    super(message, { cause });
    this.reason = reason;
  }
}

/** Tokens that llama.cpp wants free at the end of a context, and those it puts before a call. */
const reserve = 32;

const stops: Readonly<Record<string, ModelStop>> = {
  functionCalls: 'tool-calls',
  maxTokens: 'max-tokens',
  customStopTrigger: 'stop-sequence',
};

/** A model in the memory of this process, with one context, whose beginning is kept from one answer to the next. */
export class LoadedModel {
  readonly contextTokens: number;
  readonly gpu: string | false;
  readonly #llama: Llama;
  readonly #model: Model;
  readonly #sequence: Sequence;
  readonly #library: NodeLlamaCpp;

  private constructor(library: NodeLlamaCpp, llama: Llama, model: Model, sequence: Sequence, contextTokens: number) {
    this.#library = library;
    this.#llama = llama;
    this.#model = model;
    this.#sequence = sequence;
    this.contextTokens = contextTokens;
    this.gpu = model.gpuLayers > 0 ? llama.gpu : false;
  }

  /** Throws LoadFailure. */
  static async load({ runtime, model: modelPath, gpu, contextTokens, threads }: LoadTask): Promise<LoadedModel> {
    // Its threads wait for each other by spinning: one more than there are processors makes it a hundred times slower.
    const maxThreads = threads ?? availableParallelism();
    const main = pathToFileURL(join(runtime, 'node_modules', 'node-llama-cpp', 'dist', 'index.js')).href;
    let library: NodeLlamaCpp;
    let llama: Llama;
    try {
      library = (await import(main)) as NodeLlamaCpp;
      llama = await library.getLlama({
        gpu,
        build: 'never',
        skipDownload: true,
        progressLogs: false,
        logLevel: 'error',
        maxThreads,
      });
    } catch (error) {
      throw new LoadFailure('no-build', error);
    }
    try {
      const model = await llama.loadModel({ modelPath });
      const context = await model.createContext({
        contextSize: contextTokens,
        sequences: 1,
        threads: threads ?? Math.min(maxThreads, llama.cpuMathCores),
      });
      return new LoadedModel(library, llama, model, context.getSequence(), context.contextSize);
    } catch (error) {
      throw new LoadFailure((error as Error).name === 'InsufficientMemoryError' ? 'memory' : 'model', error);
    }
  }

  /** Throws GenerateFailure, and whatever llama.cpp throws when it is aborted. */
  async generate(
    task: GenerateTask,
    emit: (event: ModelEvent) => void,
    signal: AbortSignal,
  ): Promise<{ stop: ModelStop; usage: ModelUsage }> {
    signal.throwIfAborted();
    const chat = this.#chat(task);
    try {
      const input = this.#promptTokens(chat, task);
      const room = this.contextTokens - input - reserve;
      if (room <= 0)
        throw new GenerateFailure('context', `the prompt has ${input} tokens, and the context ${this.contextTokens}`);
      return await this.#answer(chat, task, { input, room }, emit, signal);
    } finally {
      chat.dispose();
    }
  }

  async #answer(
    chat: Chat,
    task: GenerateTask,
    { input, room }: { input: number; room: number },
    emit: (event: ModelEvent) => void,
    signal: AbortSignal,
  ): Promise<{ stop: ModelStop; usage: ModelUsage }> {
    const before = this.#sequence.tokenMeter.getState();
    const full = new Error('the context is full');
    let said = 0;
    let thinking = 0;
    const options: GenerateOptions = {
      ...(await this.#options(task, room)),
      signal,
      // Left to itself it would forget the beginning of the conversation.
      contextShift: {
        strategy: () => {
          throw full;
        },
      },
      onResponseChunk: ({ segmentType, text, tokens }) => {
        said += tokens.length;
        // Under a grammar all is the answer, also what a template that opens thoughts by itself takes for one.
        const isThought = segmentType !== undefined && !task.schema;
        if (isThought) thinking += tokens.length;
        if (text !== '') emit({ type: isThought ? 'thinking' : 'text', text });
      },
    };
    if (task.functions) {
      options.functions = task.functions;
      options.onFunctionCall = ({ functionName: name, params, raw }) => emit({ type: 'call', name, params, raw });
    }
    let stop: ModelStop;
    try {
      const { metadata } = await chat.generateResponse(task.history, options);
      stop = stops[metadata.stopReason] ?? 'end';
      if (stop === 'max-tokens' && (task.maxTokens ?? Infinity) > room) stop = 'context';
    } catch (error) {
      if (error !== full) throw error;
      if (said === 0) throw new GenerateFailure('context', `the prompt does not fit into ${this.contextTokens} tokens`);
      stop = 'context';
    }
    const after = this.#sequence.tokenMeter.getState();
    const output = after.usedOutputTokens - before.usedOutputTokens;
    const evaluated = after.usedInputTokens - before.usedInputTokens;
    return {
      stop,
      usage: { input, output, thinking: Math.min(thinking, output), cacheRead: Math.max(0, input - evaluated) },
    };
  }

  async #options(
    task: GenerateTask,
    room: number,
  ): Promise<Omit<GenerateOptions, 'signal' | 'contextShift' | 'onResponseChunk'>> {
    const { topP, topK, minP, seed, repeatPenalty, thoughtTokens } = task;
    return {
      maxTokens: Math.min(task.maxTokens ?? Infinity, room),
      temperature: task.temperature,
      ...(topP === undefined ? {} : { topP }),
      ...(topK === undefined ? {} : { topK }),
      ...(minP === undefined ? {} : { minP }),
      ...(seed === undefined ? {} : { seed }),
      // Code repeats itself rightly: brackets, names, indentation.
      repeatPenalty: repeatPenalty === undefined ? false : { penalty: repeatPenalty },
      ...(task.stop.length > 0 ? { customStopTriggers: task.stop } : {}),
      ...(thoughtTokens === undefined ? {} : { budgets: { thoughtTokens } }),
      ...(task.schema ? { grammar: await this.#grammar(task.schema) } : {}),
    };
  }

  async #grammar(schema: Record<string, unknown>): Promise<unknown> {
    try {
      return await this.#llama.createGrammarForJsonSchema(schema);
    } catch (error) {
      throw new GenerateFailure('schema', (error as Error).message, error);
    }
  }

  #promptTokens(chat: Chat, { history, functions }: GenerateTask): number {
    const chatHistory: HistoryItem[] =
      history.at(-1)?.type === 'model' ? history : [...history, { type: 'model', response: [] }];
    const { contextText } = chat.chatWrapper.generateContextState({ chatHistory, availableFunctions: functions });
    return contextText.tokenize(this.#model.tokenizer).length;
  }

  #chat(task: GenerateTask): Chat {
    const { LlamaChat, LlamaText } = this.#library;
    const chat = new LlamaChat({ contextSequence: this.#sequence });
    if (!task.mustCall) return chat;
    const chatWrapper = callingFirst(chat.chatWrapper, LlamaText([]));
    chat.dispose();
    return new LlamaChat({ contextSequence: this.#sequence, chatWrapper });
  }
}

/** The template of the model, made to begin its answer with a call. */
function callingFirst(wrapper: ChatWrapper, nothing: unknown): ChatWrapper {
  return new Proxy(wrapper, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key, target);
      if (key !== 'generateContextState') return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      return (options: Parameters<ChatWrapper['generateContextState']>[0]) => {
        const {
          prefixTriggers: _,
          ignoreStartText: __,
          functionCall: ___,
          ...state
        } = target.generateContextState(options);
        return { ...state, noPrefixTrigger: { type: 'functionCall', inject: nothing } };
      };
    },
  });
}

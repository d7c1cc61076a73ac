import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { ancestors, append, type HashedEntry, withImages } from '../agent/conversation.ts';
import type { ToolRegistry } from '../agent/tools/registry.ts';
import { addUserText } from '../agent/user-message.ts';
import type { BlobStore } from '../blobs/blob-store.ts';
import type { StepLogs } from '../blobs/step-logs.ts';
import type { Spending } from '../contracts/agent.ts';
import { nodeOfModel } from '../contracts/derived.ts';
import { HelixError } from '../contracts/error.ts';
import { type LlmRequest, llmRequestSchema, type LlmResponse, type ModelInfo, type Usage } from '../contracts/llm.ts';
import type { AgentSpec, ModelCallInput, ModelCallResult } from '../contracts/workflow.ts';
import type { Database } from '../db/database.ts';
import { appendEvents } from '../db/events.ts';
import { findModelCall, recordAnswered, recordRefused, recordSent } from '../db/model-calls.ts';
import { boundCall, type CallBound, mostPromptTokens } from '../llm/call-bound.ts';
import { contextFor } from '../llm/context/budget.ts';
import { TokenEstimator } from '../llm/context/tokens.ts';
import { costOf, modelInfo } from '../llm/models/catalog.ts';
import type { LlmProvider } from '../llm/provider.ts';
import type { ProviderPool } from '../llm/provider-pool.ts';
import { parseModelName } from '../llm/routing/model-name.ts';
import { contextOf } from '../llm/routing/needs.ts';
import { estimatorOf, fitConversation } from './compaction.ts';
import { activityGroup } from './activity-group.ts';
import { executionIdOf } from './execution-id.ts';
import { elsewhere, type Elsewhere, needsOf } from './model-routing.ts';
import { ProviderGate } from './provider-gate.ts';
import { StreamLog } from './stream-log.ts';

export interface ModelDeps {
  pool: ProviderPool;
  /** Who answers, where it is not the pool's provider. */
  provider?: LlmProvider;
  database: Database;
  blobs: BlobStore;
  logs: StepLogs;
  tools: ToolRegistry;
  /** A limit that lasts longer than this many milliseconds is not waited out when another model can be asked. */
  fallbackAfterMs: number;
}

const textInHistory = 4_000;
const textInEvents = 500;
const mostShortenings = 3;

/** Calls of language models. */
export function createModelActivities(deps: ModelDeps) {
  return activityGroup({
    /**
     * Asks a model for the next message of a conversation and appends it. A call that has ended is never made again: a later attempt finds its
     * answer on record. One that was sent and lost with its process counts as spent with all that it could cost.
     */
    async callModel(input: ModelCallInput): Promise<ModelCallResult> {
      const { info, cancellationSignal } = Context.current();
      const call = new ModelCall(
        deps,
        input,
        executionIdOf(info),
        info.workflowExecution?.workflowId ?? '',
        info.attempt,
      );
      return await call.result(cancellationSignal);
    },
  });
}

class ModelCall {
  private readonly deps: ModelDeps;
  private readonly input: ModelCallInput;
  private readonly callId: string;
  private readonly turn: string;
  private readonly attempt: number;
  /** Whether any of the answer has come. */
  private hasBegun = false;
  /** What the provider's own refusals have shown the context to be; as the catalog says before. */
  private contextTokens: number | undefined;
  private refusedAsTooLong = 0;

  constructor(deps: ModelDeps, input: ModelCallInput, callId: string, turn: string, attempt: number) {
    this.deps = deps;
    this.input = input;
    this.callId = callId;
    this.turn = turn;
    this.attempt = attempt;
  }

  async result(signal: AbortSignal): Promise<ModelCallResult> {
    const { database, pool } = this.deps;
    const { input, callId } = this;
    const known = await findModelCall(database, callId);
    if (known?.result) return known.result;
    const lost = { usd: known?.sentUsd ?? 0, tokens: known?.sentTokens ?? 0 };
    const name = parseModelName(input.model);
    const provider = this.deps.provider ?? (await pool.get(name.provider));
    const model = modelInfo(name.provider, name.model);
    const made = await this.request(name.model, model);
    if ('kind' in made) return { ...made, spent: spentOn(lost) };
    const { request, entries } = made;
    const bound = this.bound(request, entries, model, lost);
    if (typeof bound === 'string') return { kind: 'budget', reason: bound, spent: spentOn(lost) };
    const node = nodeOfModel(input.model);
    // A node that is away says nothing of the others.
    const gated = node === undefined ? name.provider : `${name.provider}@${node}`;
    const gate = new ProviderGate(database, gated, pool.tokensPerMinute(name.provider));
    const paid = this.attempt === 1 ? input.paid : undefined;
    const turn = await gate.takeTurn(estimatorOf(input.model).request(request), paid);
    if (turn) return { kind: 'wait', ...turn, isLong: false, spent: spentOn(lost) };
    await gate.enter();
    await this.recordSent(bound);
    const startedAt = Date.now();
    let response: LlmResponse;
    try {
      response = await this.ask(provider, { ...request, maxTokens: bound.maxTokens }, signal);
    } catch (error) {
      const pauseMs = await gate.failed(error, signal);
      const refused = !this.hasBegun && error instanceof HelixError && nothingSpentBy.has(error.code);
      if (refused) await recordRefused(database, callId, bound);
      if (refused && this.makeShorter(error, request)) return await this.result(signal);
      const waitMs = error instanceof HelixError ? error.details['retryAfterMs'] : undefined;
      if (pauseMs > 0) throw spared(error, this.hasOther ? 1 : pauseMs);
      if (!refused || typeof waitMs !== 'number') throw error;
      const isLong = waitMs > this.deps.fallbackAfterMs;
      return { kind: 'wait', waitMs, isLong, reason: error.message, spent: spentOn(lost) };
    }
    await gate.answered(response.usage);
    return await this.keep(response, request, entries.at(-1)!.hash, model, lost, Date.now() - startedAt);
  }

  /** Whether a conversation that the provider finds too long, whatever the catalog says of the model, is to be sent at half its length. */
  private makeShorter(error: HelixError, request: LlmRequest): boolean {
    if (error.code !== 'llm.context-exceeded' || this.hasOther) return false;
    if ((this.refusedAsTooLong += 1) > mostShortenings) return false;
    const { messages, maxTokens } = request;
    const estimator = estimatorOf(this.input.model);
    const said = messages.reduce((sum, message) => sum + estimator.message(message), 0);
    this.contextTokens = contextFor(estimator.request(request) - said, Math.floor(said / 2), maxTokens!);
    return true;
  }

  private get hasOther(): boolean {
    return (this.input.route?.chain ?? []).some((name) => name !== this.input.model);
  }

  /** The request, and the conversation in it: the one asked for, or what fits of it; or where it has to go instead. */
  private async request(
    name: string,
    model: ModelInfo | undefined,
  ): Promise<{ request: LlmRequest; entries: readonly HashedEntry[] } | Elsewhere> {
    const { blobs, tools } = this.deps;
    const content = await blobs.get(this.input.spec);
    if (!content) throw new HelixError('internal', `the agent ${this.input.spec} is not in the blob store any more`);
    const spec = JSON.parse(content.toString()) as AgentSpec;
    const { head, snapshot, say, thinking, temperature, responseSchema } = this.input;
    // What is thought takes none of the room for what is said.
    const wished = thinking?.mode === 'on' ? 2 * spec.maxTokens : spec.maxTokens;
    const maxTokens = Math.min(wished, model?.maxOutputTokens ?? Infinity);
    const fixed = { system: spec.system, tools: tools.definitions(spec.tools) };
    const spoken = say === undefined ? head : await addUserText(blobs, head, snapshot, say);
    const all = await ancestors(blobs, spoken);
    const whole = all.map(({ entry }) => entry.message);
    const needs = needsOf(whole, { ...fixed, maxTokens }, estimatorOf(this.input.model));
    const away = await elsewhere(this.deps, this.input, needs);
    if (away) return away;
    const entries = await fitConversation(blobs, all, fixed, {
      name: this.input.model,
      contextTokens: this.contextTokens ?? contextOf(model),
      maxOutputTokens: model?.maxOutputTokens,
      maxTokens,
    });
    // The messages were checked when they were made: checking thousands again with every call would take longer than the call.
    const messages = await withImages(
      blobs,
      entries.map(({ entry }) => entry.message),
    );
    const providerOptions = this.deps.pool.options(parseModelName(this.input.model).provider);
    const last = messages.slice(-1);
    const asked = {
      ...fixed,
      maxTokens,
      providerOptions,
      ...(thinking === undefined ? {} : { thinking }),
      ...(temperature === undefined ? {} : { temperature }),
      // The tools stay: providers refuse calls in a conversation that has none, and a prompt without them is not in the cache.
      ...(this.input.tools === false && fixed.tools.length > 0 ? { toolChoice: 'none' as const } : {}),
      ...(responseSchema && model?.structuredOutput ? { responseSchema } : {}),
    };
    const defaults = llmRequestSchema.parse({ model: name, messages: last, ...asked });
    return { request: { ...defaults, messages }, entries };
  }

  private bound(
    request: LlmRequest,
    entries: readonly HashedEntry[],
    model: ModelInfo | undefined,
    lost: { usd: number; tokens: number },
  ): CallBound | string {
    const { usd, tokens } = this.input.budget;
    if (usd !== undefined && !model?.price)
      throw new HelixError(
        'llm.unsupported',
        `the price of ${this.input.model} is not known, so a budget in dollars cannot be kept: give the budget in tokens`,
      );
    const left = {
      ...(usd === undefined ? {} : { usd: Math.max(0, usd - lost.usd) }),
      ...(tokens === undefined ? {} : { tokens: Math.max(0, tokens - lost.tokens) }),
    };
    return boundCall(mostPromptTokens(request, counted(entries)), request.maxTokens!, left, model?.price);
  }

  private get step(): { step?: string } {
    return this.input.step === undefined ? {} : { step: this.input.step };
  }

  private async recordSent(bound: CallBound): Promise<void> {
    const { callId, turn, attempt } = this;
    const { jobId, model, title } = this.input;
    const at = new Date().toISOString();
    const data = { type: 'model.asked', turn, title, callId, model, attempt, ...this.step } as const;
    await this.deps.database.transaction(async (transaction) => {
      // The event first: it locks the job, which the call refers to, and two agents of a job would wait for each other otherwise.
      await appendEvents(transaction, jobId, [{ key: `${callId}:asked:${attempt}`, at, data }]);
      await recordSent(transaction, { callId, jobId, turn, model }, bound);
    });
  }

  private async ask(provider: LlmProvider, request: LlmRequest, signal: AbortSignal): Promise<LlmResponse> {
    const log = await StreamLog.open(this.deps.logs, this.callId, this.attempt);
    try {
      for await (const event of provider.generateStream(request, { signal, idempotencyKey: this.callId })) {
        this.hasBegun = true;
        if (event.type === 'finish') return event.response;
        await log.write(event);
      }
    } finally {
      await log.close();
    }
    throw new HelixError('llm.malformed-answer', `${this.input.model} ended its answer without finishing it`);
  }

  private async keep(
    response: LlmResponse,
    request: LlmRequest,
    head: string,
    model: ModelInfo | undefined,
    lost: { usd: number; tokens: number },
    durationMs: number,
  ): Promise<ModelCallResult> {
    const { blobs, database } = this.deps;
    const { snapshot, jobId, title } = this.input;
    const { message, stopReason } = response;
    const usage = reported(response, request, this.input.model);
    const usd = costOf(usage, model?.price) ?? null;
    const at = new Date().toISOString();
    const call = { model: this.input.model, usage, costUsd: usd };
    const newHead = await append(blobs, { parent: head, message, snapshot, at, call });
    const text = message.content
      .flatMap((part) => (part.type === 'text' ? [part.text] : []))
      .join('')
      .trim();
    const spent: Spending = {
      calls: 1,
      inputTokens: usage.input,
      outputTokens: usage.output + lost.tokens,
      cacheReadTokens: usage.cacheRead,
      usd: (usd ?? 0) + lost.usd,
    };
    const result = { kind: 'answer', head: newHead, stopReason, text: text.slice(0, textInHistory), spent } as const;
    const data = {
      type: 'model.answered',
      turn: this.turn,
      callId: this.callId,
      title,
      model: this.input.model,
      text: text.slice(0, textInEvents),
      inputTokens: usage.input,
      outputTokens: usage.output,
      cacheReadTokens: usage.cacheRead,
      usd,
      durationMs,
      ...this.step,
    } as const;
    await database.transaction(async (transaction) => {
      await recordAnswered(transaction, this.callId, result, usd === null ? null : spent.usd);
      await appendEvents(transaction, jobId, [{ key: `${this.callId}:answered`, at, data }]);
    });
    return result;
  }
}

/** The provider said no, and did nothing if none of an answer came before. */
const nothingSpentBy = new Set([
  'llm.authentication',
  'llm.model-not-found',
  'llm.invalid-request',
  'llm.context-exceeded',
  'llm.unsupported',
  'llm.not-configured',
  'llm.rate-limited',
  'llm.quota-exceeded',
  'llm.overloaded',
]);

/** The failure of a call after which its provider is spared: the next attempt is made when it may be asked again, or goes elsewhere at once. */
function spared(error: unknown, nextRetryDelay: number): ApplicationFailure {
  const { code, message } = error as HelixError;
  return ApplicationFailure.create({ type: code, message, nextRetryDelay });
}

function spentOn(lost: { usd: number; tokens: number }): Spending {
  return { calls: 0, inputTokens: 0, outputTokens: lost.tokens, cacheReadTokens: 0, usd: lost.usd };
}

/** What the provider counted; for one that counts nothing, an estimate. */
function reported({ usage, message }: LlmResponse, request: LlmRequest, model: string): Usage {
  if (usage.input + usage.output > 0) return usage;
  const estimator = new TokenEstimator(model);
  return { ...usage, input: estimator.request(request), output: estimator.message(message) };
}

/** What the provider itself counted for the conversation up to its own last message. */
function counted(entries: readonly HashedEntry[]): { messages: number; tokens: number } | undefined {
  const index = entries.findLastIndex(({ entry }) => entry.call !== undefined);
  const usage = entries[index]?.entry.call?.usage;
  // A provider that reports nothing has counted nothing.
  return usage && usage.input > 0 ? { messages: index + 1, tokens: usage.input + usage.output } : undefined;
}

import { ApplicationFailure } from '@temporalio/workflow';
import type { JobEventData } from '../contracts/event.ts';
import type { Thinking } from '../contracts/llm.ts';
import type { ReasoningLimits, StrategyName } from '../contracts/reasoning.ts';
import { reason } from '../llm/reasoning/choose-strategy.ts';
import type {
  Reasoner,
  ReasoningAnswer,
  ReasoningRecord,
  ReasoningResult,
  ReasoningStep,
} from '../llm/reasoning/reasoner.ts';
import type { ModelAnswer, ModelCalls } from './model-calls.ts';
import type { PauseGate } from './pause-gate.ts';

/** Where a line of thought stands: the hash of its last message, and how often it has heard from the user. */
export interface Talk {
  head: string;
  heard: number;
}

/** What reasoning needs of the turn that it belongs to. */
export interface ReasoningTurn {
  /** Blob hash of the AgentSpec. */
  spec: string;
  calls: ModelCalls;
  gate: PauseGate;
  /** Of the model, in all of the turn. */
  maxCalls: number;
  carriesOut: boolean;
  identity(): { turn: string; title: string };
  event(data: JobEventData): Promise<void>;
  snapshot(): string;
  /** What the user's words ask of the model's own thinking. */
  thinking(): Thinking;
  /** Says in this conversation what users have said and it has not heard. */
  hear(talk: Talk): Promise<Talk>;
  /** The turn goes on from this answer, unless something else comes of it. */
  answered(talk: Talk, text: string): void;
  useTools(talk: Talk): Promise<Talk>;
}

const mostEmpty = 3;
const mostCutOff = 10;
const mostForbidden = 3;
const outcomeInEvents = 500;

/** One call after the other, as everybody expects of an agent: there are no steps to be told of. */
const asksPlainly: ReadonlySet<StrategyName> = new Set(['direct', 'extended-thinking']);

const emptyPrompt = 'Your answer was empty. Go on with the task, or say what you have done and that you are finished.';
const cutOffPrompt = 'Your answer was cut off at its length limit. Go on exactly where it ended.';
const noToolPrompt = 'No tool may be called now, so nothing was carried out. Answer in words.';

/** How the strategies of `llm/reasoning` ask within a turn: by recorded calls, with its tools, budget and permissions, and for as long as it may go on. */
export class TurnReasoner implements Reasoner<Talk> {
  private readonly turn: ReasoningTurn;
  private made = 0;
  private strategy: StrategyName = 'direct';

  constructor(turn: ReasoningTurn) {
    this.turn = turn;
  }

  /** Goes on from a conversation by a strategy. */
  async reason(strategy: StrategyName, limits: ReasoningLimits, start: Talk): Promise<ReasoningResult<Talk>> {
    this.strategy = strategy;
    const result = await reason(strategy, limits, this, start);
    if (result.ended === 'limit') await this.did({ title: 'Limit', outcome: 'its rounds or revisions are used up' });
    return result;
  }

  get maxToolCalls(): number {
    return this.turn.maxCalls;
  }

  get carriesOut(): boolean {
    return this.turn.carriesOut;
  }

  /** Answers that are empty, cut off or call tools where none may be called are asked for again, a few times each. */
  async ask(step: ReasoningStep<Talk>): Promise<ReasoningAnswer<Talk>> {
    const { turn } = this;
    let talk = step.after;
    let { say } = step;
    let text = '';
    const times = { empty: 0, cutOff: 0, forbidden: 0 };
    for (;;) {
      if (this.made >= turn.maxCalls) return { after: talk, text, stopReason: 'limit' };
      this.made += 1;
      await turn.gate.pass();
      talk = await turn.hear(talk);
      const answer = await this.call(step, talk.head, say);
      talk = { ...talk, head: answer.head };
      text = answer.text || text;
      const { stopReason } = answer;
      if (!step.aside) turn.answered(talk, text);
      if (stopReason === 'tool-calls') {
        if (step.tools) return { after: talk, text, stopReason };
        if ((times.forbidden += 1) >= mostForbidden)
          throw this.failure('called tools where it had to answer', times.forbidden);
        say = noToolPrompt;
      } else if (stopReason === 'max-tokens' || stopReason === 'context') {
        if ((times.cutOff += 1) >= mostCutOff) return { after: talk, text, stopReason };
        say = cutOffPrompt;
      } else if (stopReason !== 'refusal' && answer.text === '') {
        if ((times.empty += 1) >= mostEmpty) throw this.failure('gave an empty answer', times.empty);
        say = emptyPrompt;
      } else {
        return { after: talk, text, stopReason };
      }
    }
  }

  async useTools(_title: string, answer: ReasoningAnswer<Talk>): Promise<Talk> {
    return await this.turn.useTools(answer.after);
  }

  async did({ title, outcome }: ReasoningRecord): Promise<void> {
    const { strategy, turn } = this;
    await turn.event({
      type: 'reasoning.step',
      ...turn.identity(),
      strategy,
      step: title,
      outcome: outcome.slice(0, outcomeInEvents),
    });
  }

  private async call(step: ReasoningStep<Talk>, head: string, say: string | undefined): Promise<ModelAnswer> {
    const { turn } = this;
    const { title, tools, temperature, responseSchema } = step;
    return await turn.calls.ask(
      {
        spec: turn.spec,
        head,
        snapshot: turn.snapshot(),
        thinking: { ...turn.thinking(), ...step.thinking },
        ...(asksPlainly.has(this.strategy) ? {} : { step: title }),
        ...(say === undefined ? {} : { say }),
        ...(tools ? {} : { tools: false as const }),
        ...(temperature === undefined ? {} : { temperature }),
        ...(responseSchema === undefined ? {} : { responseSchema }),
      },
      step.atOnce,
    );
  }

  private failure(what: string, times: number): ApplicationFailure {
    return ApplicationFailure.nonRetryable(
      `${this.turn.calls.model} ${what}, ${times} times: try again, or take another model`,
      'llm.malformed-answer',
    );
  }
}

import { ApplicationFailure } from '@temporalio/common';
import { type ErrorCode, HelixError } from '../contracts/error.ts';
import type { Usage } from '../contracts/llm.ts';
import type { Database } from '../db/database.ts';
import { abandonTrial, admitCall, reportFault, reportWell, takeTokens } from '../db/llm-providers.ts';

/** Errors that say the provider itself is unwell, in contrast to the request, the account or its limits. */
const faults: ReadonlySet<ErrorCode> = new Set(['llm.unavailable', 'llm.overloaded']);

const longestRetryMs = 60_000;

/** What one call has to pass before it is sent to a provider, shared with all other calls of all processes: the limit of tokens and the circuit. */
export class ProviderGate {
  private readonly database: Database;
  private readonly provider: string;
  private readonly tokensPerMinute: number | undefined;
  private taken = 0;
  private faultsBefore = 0;
  private isTrial = false;

  constructor(database: Database, provider: string, tokensPerMinute: number | undefined) {
    this.database = database;
    this.provider = provider;
    this.tokensPerMinute = tokensPerMinute;
  }

  /** Takes the tokens of a call. When they are not there yet, says when to come back; whoever does says what is `paid`, and has its turn. */
  async takeTurn(
    tokens: number,
    paid: number | undefined,
  ): Promise<{ waitMs: number; paid: number; reason: string } | undefined> {
    const { database, provider, tokensPerMinute } = this;
    if (tokensPerMinute === undefined) return undefined;
    this.taken = tokens;
    const waitMs = await takeTokens(database, provider, tokens - (paid ?? 0), tokensPerMinute);
    if (waitMs === 0 || paid !== undefined) return undefined;
    return { waitMs, paid: tokens, reason: `${provider} is to get no more than ${tokensPerMinute} tokens a minute` };
  }

  /** Throws a retryable `llm.unavailable` while the provider is spared. */
  async enter(): Promise<void> {
    const { database, provider } = this;
    const admission = await admitCall(database, provider);
    this.faultsBefore = admission.faults;
    if (admission.admitted) {
      this.isTrial = admission.isTrial;
      return;
    }
    await this.giveBack();
    const { waitMs, reason } = admission;
    const until = new Date(Date.now() + waitMs).toISOString();
    throw ApplicationFailure.create({
      type: 'llm.unavailable',
      message: `${provider} failed ${admission.faults} times in a row and is not asked before ${until}: ${reason}`,
      nextRetryDelay: Math.min(waitMs, longestRetryMs),
    });
  }

  async answered({ input, output }: Usage): Promise<void> {
    const { database, provider, tokensPerMinute, taken } = this;
    if (this.faultsBefore > 0) await reportWell(database, provider);
    // A provider that counts nothing leaves it at the estimate.
    if (tokensPerMinute !== undefined && input + output > 0)
      await takeTokens(database, provider, input + output - taken, tokensPerMinute);
  }

  /** Returns for how many milliseconds the provider is spared from now on. */
  async failed(error: unknown, signal: AbortSignal): Promise<number> {
    const { database, provider, isTrial } = this;
    if (signal.aborted || !(error instanceof HelixError)) {
      if (isTrial) await abandonTrial(database, provider);
      return 0;
    }
    const isFault = faults.has(error.code) && error.details['retryAfterMs'] === undefined;
    if (isFault) return await reportFault(database, provider, error.message, isTrial);
    await this.giveBack();
    if (this.faultsBefore > 0) await reportWell(database, provider);
    return 0;
  }

  private async giveBack(): Promise<void> {
    const { database, provider, tokensPerMinute, taken } = this;
    if (tokensPerMinute !== undefined && taken > 0) await takeTokens(database, provider, -taken, tokensPerMinute);
  }
}

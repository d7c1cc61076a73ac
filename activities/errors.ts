import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { type ErrorCode, HelixError } from '../contracts/error.ts';

/** What may go away by itself. Everything else a HelixError says stays true when it is tried again. */
const passing = new Set<ErrorCode>([
  'node.lost',
  'node.unreachable',
  'node.disk-full',
  'source.unreachable',
  'stack.unreachable',
  'llm.rate-limited',
  'llm.overloaded',
  'llm.unavailable',
  'llm.malformed-answer',
  'internal',
]);

/** An error that nobody foresaw may be a passing one; after this many tries it is a defect, and the job says so instead of trying for ever. */
const triesOfTheUnforeseen = 3;

/** An answer that cannot be read may be an accident of the moment. One after the other are not, and each may have cost money. */
const triesOfTheMalformed = 5;

/** The one place where errors of the parts below become Temporal failures. */
export function toFailure(error: unknown, attempt: number): unknown {
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure) return error;
  if (error instanceof HelixError) {
    const isHopeless = error.code === 'llm.malformed-answer' && attempt >= triesOfTheMalformed;
    return ApplicationFailure.create({
      message: isHopeless ? `${error.message} It was called ${attempt} times.` : error.message,
      type: error.code,
      nonRetryable: isHopeless || !passing.has(error.code),
      cause: error,
    });
  }
  const message = error instanceof Error ? error.message : String(error);
  return ApplicationFailure.create({
    message,
    type: 'internal',
    nonRetryable: attempt >= triesOfTheUnforeseen,
    ...(error instanceof Error ? { cause: error } : {}),
  });
}

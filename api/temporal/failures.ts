import { setTimeout as sleep } from 'node:timers/promises';
import {
  ServiceError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { type ErrorCode, errorCodes, HelixError } from '../../contracts/error.ts';

/** What a failed workflow or update means for the user who asked for it. */
export function fromTemporal(error: unknown, subject: string): HelixError {
  if (error instanceof HelixError) return error;
  if (error instanceof WorkflowNotFoundError)
    return new HelixError('job.not-found', `${subject} is not known to Temporal`, { cause: error });
  if (error instanceof ServiceError)
    return new HelixError('stack.unreachable', `Temporal cannot be reached: ${error.message}`, { cause: error });
  if (error instanceof WorkflowFailedError || error instanceof WorkflowUpdateFailedError) return fromFailure(error);
  return new HelixError('internal', error instanceof Error ? error.message : String(error), { cause: error });
}

function fromFailure(error: Error): HelixError {
  let innermost: unknown = error;
  while (innermost instanceof Error && !isNamed(innermost) && innermost.cause !== undefined)
    innermost = innermost.cause;
  const code = isNamed(innermost) ? (innermost.type as ErrorCode) : 'internal';
  return new HelixError(code, innermost instanceof Error ? innermost.message : String(innermost), { cause: error });
}

function isNamed(error: unknown): error is ApplicationFailure {
  return error instanceof ApplicationFailure && typeof error.type === 'string' && error.type in errorCodes;
}

const mostAttempts = 6;

/**
 * Sends an update, again when the server says that no worker has looked at it: with many at once some get lost between two workflow tasks. For
 * updates that may be said twice.
 */
export async function untilProcessed<T>(send: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await send();
    } catch (error) {
      if (attempt >= mostAttempts || !isUnprocessed(error)) throw error;
      await sleep(50 * 2 ** attempt);
    }
  }
}

function isUnprocessed(error: unknown): boolean {
  if (!(error instanceof WorkflowUpdateFailedError)) return false;
  const { cause } = error;
  return cause instanceof ApplicationFailure && cause.type === 'UnprocessedUpdate';
}

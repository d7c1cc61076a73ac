import { ApplicationFailure } from '@temporalio/workflow';
import { WrongStateError } from './job-state.ts';

/** Applies a message. One that does not fit the state is refused to its sender. */
export function orWrongState(apply: () => void): void {
  try {
    apply();
  } catch (error) {
    if (!(error instanceof WrongStateError)) throw error;
    throw ApplicationFailure.nonRetryable(error.message, 'job.wrong-state');
  }
}

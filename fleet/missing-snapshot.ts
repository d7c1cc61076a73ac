import { HelixError } from '../contracts/error.ts';

/** Whether something failed because a snapshot is not where it was believed to be, or is damaged there. */
export function isSnapshotMissing(error: unknown): boolean {
  return error instanceof HelixError && (error.code === 'snapshot.not-found' || error.code === 'snapshot.corrupt');
}

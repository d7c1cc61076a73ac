import { errorCodes, HelixError } from '../contracts/error.ts';

/** Says on stderr what went wrong, and returns the exit code. */
export function reportError(error: unknown): number {
  if (error instanceof HelixError) {
    process.stderr.write(`helix: ${error.message}\n`);
    return errorCodes[error.code].exitCode;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`helix: this is a fault of HelixCode:\n${text}\n`);
  return errorCodes.internal.exitCode;
}

import { HelixError } from '../contracts/error.ts';

const systemCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EPIPE',
  'EHOSTUNREACH',
]);

/** SQLSTATEs that say the server is not (or no longer) there, rather than that the statement is wrong. */
const serverCodes = new Set(['57P01', '57P02', '57P03', '53300']);

const clientMessages =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed|Cannot use a pool after calling end|Query read timeout)/;

function isConnectionError(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isConnectionError);
  if (!(error instanceof Error)) return false;
  const code = (error as Error & { code?: string }).code ?? '';
  return systemCodes.has(code) || serverCodes.has(code) || code.startsWith('08') || clientMessages.test(error.message);
}

/** Turns the loss of the server into a `stack.unreachable` for people; any other error stays as it is. */
export function translateConnectionError(error: unknown, address: string): unknown {
  if (!isConnectionError(error)) return error;
  const reason = error instanceof Error && error.message ? error.message : String((error as { code?: string }).code);
  return new HelixError(
    'stack.unreachable',
    `PostgreSQL at ${address} cannot be reached (${reason}): see whether it runs with "helix status"`,
    { cause: error },
  );
}

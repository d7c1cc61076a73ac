/** Every way HelixCode says no, with what each edge makes of it. */
export const errorCodes = {
  'usage.invalid': { httpStatus: 400, exitCode: 2 },
  'job.not-found': { httpStatus: 404, exitCode: 2 },
  'job.wrong-state': { httpStatus: 409, exitCode: 2 },
  'checkpoint.not-found': { httpStatus: 404, exitCode: 2 },
  'step.not-found': { httpStatus: 404, exitCode: 2 },
  'artifact.not-found': { httpStatus: 404, exitCode: 1 },
  'source.not-a-repository': { httpStatus: 422, exitCode: 2 },
  'source.ref-not-found': { httpStatus: 422, exitCode: 2 },
  'source.unreachable': { httpStatus: 422, exitCode: 1 },
  'source.unreadable': { httpStatus: 422, exitCode: 1 },
  'source.conflict': { httpStatus: 409, exitCode: 1 },
  'snapshot.not-found': { httpStatus: 404, exitCode: 1 },
  'snapshot.corrupt': { httpStatus: 500, exitCode: 1 },
  'plan.nothing-to-do': { httpStatus: 422, exitCode: 1 },
  'recipe.not-applicable': { httpStatus: 422, exitCode: 1 },
  'node.not-found': { httpStatus: 404, exitCode: 2 },
  'node.name-taken': { httpStatus: 409, exitCode: 2 },
  'node.same-machine': { httpStatus: 409, exitCode: 2 },
  'node.unreachable': { httpStatus: 502, exitCode: 1 },
  'node.host-key': { httpStatus: 502, exitCode: 1 },
  'node.authentication': { httpStatus: 502, exitCode: 1 },
  'node.unsuitable': { httpStatus: 422, exitCode: 1 },
  'node.disk-full': { httpStatus: 507, exitCode: 1 },
  'node.lost': { httpStatus: 502, exitCode: 1 },
  'node.token-refused': { httpStatus: 403, exitCode: 1 },
  'node.token-not-found': { httpStatus: 404, exitCode: 2 },
  'node.removed': { httpStatus: 410, exitCode: 1 },
  'class.unserved': { httpStatus: 422, exitCode: 1 },
  'llm.not-configured': { httpStatus: 422, exitCode: 2 },
  'llm.authentication': { httpStatus: 502, exitCode: 1 },
  'llm.model-not-found': { httpStatus: 404, exitCode: 2 },
  'llm.invalid-request': { httpStatus: 422, exitCode: 1 },
  'llm.context-exceeded': { httpStatus: 422, exitCode: 1 },
  'llm.unsupported': { httpStatus: 422, exitCode: 2 },
  'llm.rate-limited': { httpStatus: 503, exitCode: 1 },
  'llm.quota-exceeded': { httpStatus: 503, exitCode: 1 },
  'llm.overloaded': { httpStatus: 503, exitCode: 1 },
  'llm.unavailable': { httpStatus: 502, exitCode: 1 },
  'llm.malformed-answer': { httpStatus: 502, exitCode: 1 },
  'budget.exceeded': { httpStatus: 402, exitCode: 1 },
  'stack.unreachable': { httpStatus: 503, exitCode: 3 },
  internal: { httpStatus: 500, exitCode: 1 },
} as const satisfies Record<string, { httpStatus: number; exitCode: number }>;

export type ErrorCode = keyof typeof errorCodes;

/**
 * An error a user is meant to read: `message` says what happened, to what, and what to do.
 * It crosses the activity boundary as an ApplicationFailure of type `code`, HTTP as problem details, the CLI as one line and an exit code.
 */
export class HelixError extends Error {
  readonly code: ErrorCode;
  readonly details: Record<string, unknown>;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; details?: Record<string, unknown> } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HelixError';
    this.code = code;
    this.details = options.details ?? {};
  }
}

import { STATUS_CODES } from 'node:http';
import type { Response } from 'express';
import type { Problem } from '../contracts/api.ts';

/** Answers with problem details (RFC 9457). */
export function sendProblem(
  response: Response,
  problem: Pick<Problem, 'status' | 'code' | 'detail' | 'details' | 'errors'>,
): void {
  const { status, code, detail, details, errors } = problem;
  const body: Problem = {
    type: `urn:helix:problem:${code}`,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail,
    code,
    ...(details && Object.keys(details).length > 0 ? { details } : {}),
    ...(errors ? { errors } : {}),
  };
  response.status(status).type('application/problem+json').send(JSON.stringify(body));
}

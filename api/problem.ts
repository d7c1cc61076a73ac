import { STATUS_CODES } from 'node:http';
import type { Response } from 'express';
import type { Problem } from '../contracts/api.ts';

type ProblemFacts = Pick<Problem, 'status' | 'code' | 'detail' | 'details' | 'errors'>;

/** Problem details (RFC 9457). */
export function problemOf({ status, code, detail, details, errors }: ProblemFacts): Problem {
  return {
    type: `urn:helix:problem:${code}`,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail,
    code,
    ...(details && Object.keys(details).length > 0 ? { details } : {}),
    ...(errors ? { errors } : {}),
  };
}

/** Answers with problem details. */
export function sendProblem(response: Response, facts: ProblemFacts): void {
  response
    .status(facts.status)
    .type('application/problem+json')
    .send(JSON.stringify(problemOf(facts)));
}

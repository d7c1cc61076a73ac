import express, { type RequestHandler } from 'express';
import { sendProblem } from '../problem.ts';

const limit = '1mb';

/** Reads JSON bodies, and refuses bodies of any other type rather than to take them for none. */
export const jsonBody: RequestHandler[] = [
  (request, response, next) => {
    // `is` gives null when there is no body.
    if (request.is('application/json') === false && request.headers['content-length'] !== '0') {
      const detail = `the body must be application/json, not ${request.headers['content-type'] ?? 'without a type'}`;
      sendProblem(response, { status: 415, code: 'usage.invalid', detail });
      return;
    }
    next();
  },
  express.json({ limit }),
];

import { type Response, Router } from 'express';
import { loginRequestSchema, modelTestSchema } from '../../contracts/api.ts';
import { HelixError } from '../../contracts/error.ts';
import type { ApiDeps } from '../deps.ts';
import { allowOnly } from '../middleware/not-found.ts';
import { parseInput } from '../parse-input.ts';
import { callerSignal, writeSlowly } from '../stream.ts';

export function modelRoutes({ models }: ApiDeps): Router {
  const router = Router();

  router
    .route('/models')
    .get(async (_request, response) => {
      response.json(await models.list());
    })
    .all(allowOnly('GET'));

  router
    .route('/models/test')
    .post(async (request, response) => {
      const test = parseInput(modelTestSchema, request.body);
      await streamLines(response, (signal) => models.test(test, signal));
    })
    .all(allowOnly('POST'));

  router
    .route('/models/login')
    .post(async (request, response) => {
      const login = parseInput(loginRequestSchema, request.body);
      await streamLines(response, (signal) => models.login(login, signal));
    })
    .all(allowOnly('POST'));

  return router;
}

/** One JSON object per line, as they come; what goes wrong after the first is a line too. */
async function streamLines(response: Response, lines: (signal: AbortSignal) => AsyncIterable<unknown>): Promise<void> {
  const signal = callerSignal(response);
  const send = (line: unknown): Promise<void> => writeSlowly(response, `${JSON.stringify(line)}\n`, signal);
  response.status(200).set('Content-Type', 'application/jsonl; charset=utf-8');
  try {
    for await (const line of lines(signal)) await send(line);
  } catch (error) {
    if (signal.aborted) return;
    if (!response.headersSent || !(error instanceof HelixError)) throw error;
    await send({ type: 'error', code: error.code, message: error.message });
  }
  response.end();
}

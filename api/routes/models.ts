import { Router } from 'express';
import { modelTestSchema } from '../../contracts/api.ts';
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
    // One JSON object per line, as the answer comes; what goes wrong after the first is a line too.
    .post(async (request, response) => {
      const test = parseInput(modelTestSchema, request.body);
      const signal = callerSignal(response);
      response.status(200).set('Content-Type', 'application/jsonl; charset=utf-8');
      try {
        for await (const event of models.test(test, signal))
          await writeSlowly(response, `${JSON.stringify(event)}\n`, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!response.headersSent || !(error instanceof HelixError)) throw error;
        await writeSlowly(
          response,
          `${JSON.stringify({ type: 'error', code: error.code, message: error.message })}\n`,
          signal,
        );
      }
      response.end();
    })
    .all(allowOnly('POST'));

  return router;
}

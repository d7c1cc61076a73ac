import { type Request, Router } from 'express';
import { HelixError } from '../../contracts/error.ts';
import { pullRequestSchema } from '../../contracts/local-model.ts';
import type { ApiDeps } from '../deps.ts';
import { allowOnly } from '../middleware/not-found.ts';
import { parseInput } from '../parse-input.ts';
import { callerSignal, writeSlowly } from '../stream.ts';

/** Models that run on the user's own machines. */
export function localModelRoutes({ localModels }: ApiDeps): Router {
  const router = Router();

  router
    .route('/local-models')
    .get(async (_request, response) => {
      response.json(await localModels.list());
    })
    .all(allowOnly('GET'));

  router
    .route('/local-models/recommend')
    .get(async (request, response) => {
      response.json(await localModels.recommend(nodeOf(request)));
    })
    .all(allowOnly('GET'));

  router
    .route('/local-models/pull')
    // One JSON object per line. Whoever goes away ends the download, and what has come stays for the next one.
    .post(async (request, response) => {
      const { source, node } = parseInput(pullRequestSchema, request.body);
      const signal = callerSignal(response);
      response.status(200).set('Content-Type', 'application/jsonl; charset=utf-8');
      try {
        for await (const event of localModels.pull(source, node, signal))
          await writeSlowly(response, `${JSON.stringify(event)}\n`, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!response.headersSent || !(error instanceof HelixError)) throw error;
        const line = { type: 'error', code: error.code, message: error.message };
        await writeSlowly(response, `${JSON.stringify(line)}\n`, signal);
      }
      response.end();
    })
    .all(allowOnly('POST'));

  router
    .route('/local-models/:name')
    .get(async (request, response) => {
      response.json(await localModels.info(request.params.name, nodeOf(request)));
    })
    .delete(async (request, response) => {
      await localModels.remove(request.params.name, nodeOf(request));
      response.status(204).end();
    })
    .all(allowOnly('GET', 'DELETE'));

  return router;
}

function nodeOf({ query }: Pick<Request, 'query'>): string | undefined {
  return typeof query['node'] === 'string' ? query['node'] : undefined;
}

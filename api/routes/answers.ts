import { Router } from 'express';
import type { ApiDeps } from '../deps.ts';
import type { JobFeed } from '../job-feed.ts';
import { logOfAnswer, logQuerySchema } from '../log-feed.ts';
import { streamLog } from '../log-stream.ts';
import { allowOnly } from '../middleware/not-found.ts';
import { parseInput } from '../parse-input.ts';

/** What a model says as it comes: JSON objects, one per line; `{"type":"restarted"}` says that the answer is told anew from there. */
export function answerRoutes(deps: ApiDeps, feed: JobFeed): Router {
  const router = Router();
  router
    .route('/jobs/:jobId/answers/:callId')
    .get(async ({ params, query }, response) => {
      const source = await logOfAnswer(deps, params.jobId, params.callId);
      await streamLog(response, feed, source, parseInput(logQuerySchema, query), 'application/jsonl');
    })
    .all(allowOnly('GET'));
  return router;
}

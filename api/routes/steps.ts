import { Router } from 'express';
import { listSteps } from '../../db/steps.ts';
import type { ApiDeps } from '../deps.ts';
import type { JobFeed } from '../job-feed.ts';
import { logOfStep, logQuerySchema } from '../log-feed.ts';
import { streamLog } from '../log-stream.ts';
import { allowOnly } from '../middleware/not-found.ts';
import { parseInput } from '../parse-input.ts';
import { requireJob } from '../require-job.ts';

export function stepRoutes(deps: ApiDeps, feed: JobFeed): Router {
  const { database } = deps;
  const router = Router();

  router
    .route('/jobs/:jobId/steps')
    .get(async (request, response) => {
      const { jobId } = await requireJob(database, request.params.jobId);
      response.json({ steps: await listSteps(database, jobId) });
    })
    .all(allowOnly('GET'));

  router
    .route('/jobs/:jobId/steps/:number/log')
    .get(async ({ params, query }, response) => {
      const source = await logOfStep(deps, params.jobId, params.number);
      await streamLog(response, feed, source, parseInput(logQuerySchema, query), 'text/plain');
    })
    .all(allowOnly('GET'));

  return router;
}

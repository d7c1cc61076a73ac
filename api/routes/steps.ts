import { Router } from 'express';
import { z } from 'zod';
import { HelixError } from '../../contracts/error.ts';
import { getStep, listSteps } from '../../db/steps.ts';
import type { ApiDeps } from '../deps.ts';
import type { JobFeed } from '../job-feed.ts';
import { logQuerySchema, streamLog } from '../log-stream.ts';
import { allowOnly } from '../middleware/not-found.ts';
import { parseInput } from '../parse-input.ts';
import { requireJob } from '../require-job.ts';

const numberSchema = z.coerce
  .number()
  .int()
  .min(1)
  .max(2 ** 31 - 1);

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
    .get(async (request, response) => {
      const { jobId } = await requireJob(database, request.params.jobId);
      const number = parseInput(numberSchema, request.params.number);
      const step = await getStep(database, jobId, number);
      if (!step)
        throw new HelixError(
          'step.not-found',
          `job ${jobId} has no step ${number}: "helix show ${jobId}" lists its steps`,
        );
      const query = parseInput(logQuerySchema, request.query);
      await streamLog(response, {
        feed,
        log: deps.stepLog(step.executionId),
        jobId,
        type: 'text/plain',
        hasEnded: async () => (await getStep(database, jobId, number))?.finishedAt !== null,
        ...query,
      });
    })
    .all(allowOnly('GET'));

  return router;
}

import { Router } from 'express';
import { HelixError } from '../../contracts/error.ts';
import { getModelCall } from '../../db/model-calls.ts';
import type { ApiDeps } from '../deps.ts';
import type { JobFeed } from '../job-feed.ts';
import { logQuerySchema, streamLog } from '../log-stream.ts';
import { allowOnly } from '../middleware/not-found.ts';
import { parseInput } from '../parse-input.ts';
import { requireJob } from '../require-job.ts';

/** What a model says as it comes: JSON objects, one per line; `{"type":"restarted"}` says that the answer is told anew from there. */
export function answerRoutes(deps: ApiDeps, feed: JobFeed): Router {
  const { database } = deps;
  const router = Router();
  router
    .route('/jobs/:jobId/answers/:callId')
    .get(async (request, response) => {
      const { jobId } = await requireJob(database, request.params.jobId);
      const { callId } = request.params;
      if (!(await getModelCall(database, jobId, callId)))
        throw new HelixError('artifact.not-found', `job ${jobId} has asked no model under the id ${callId}`);
      const query = parseInput(logQuerySchema, request.query);
      await streamLog(response, {
        feed,
        log: deps.stepLog(callId),
        jobId,
        type: 'application/jsonl',
        hasEnded: async () => (await getModelCall(database, jobId, callId))?.hasEnded !== false,
        ...query,
      });
    })
    .all(allowOnly('GET'));
  return router;
}

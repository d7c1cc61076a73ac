import { Router } from 'express';
import { z } from 'zod';
import { checkpointSchema } from '../../contracts/job.ts';
import type { ApiDeps, JobControl } from '../deps.ts';
import { allowOnly } from '../middleware/not-found.ts';
import { parseInput } from '../parse-input.ts';
import { requireJob } from '../require-job.ts';
import { tellAgent } from '../tell-agent.ts';

type Action = (deps: ApiDeps, jobId: string, body: unknown) => Promise<void>;

const emptySchema = z.strictObject({});
const rejectSchema = z.strictObject({ reason: z.string().max(10_000).optional() });
const rollbackSchema = z.strictObject({ checkpointId: checkpointSchema.shape.id });

const actions: Record<string, Action> = {
  approve: plain((jobs, jobId) => jobs.approve(jobId)),
  reject: ({ jobs }, jobId, body) => jobs.reject(jobId, parseInput(rejectSchema, body).reason),
  pause: plain((jobs, jobId) => jobs.pause(jobId)),
  resume: plain((jobs, jobId) => jobs.resume(jobId)),
  cancel: plain((jobs, jobId) => jobs.cancel(jobId)),
  agent: tellAgent,
  rollback: ({ jobs }, jobId, body) => jobs.rollback(jobId, parseInput(rollbackSchema, body).checkpointId),
};

/** An action that takes nothing. */
function plain(act: (jobs: JobControl, jobId: string) => Promise<void>): Action {
  return ({ jobs }, jobId, body) => {
    parseInput(emptySchema, body);
    return act(jobs, jobId);
  };
}

/** `POST /jobs/:jobId/<action>`: 204 when the job has taken the message, also when it had taken it before. */
export function jobActionRoutes(deps: ApiDeps): Router {
  const router = Router();
  for (const [name, act] of Object.entries(actions)) {
    router
      .route(`/jobs/:jobId/${name}`)
      .post(async (request, response) => {
        const { jobId } = await requireJob(deps.database, request.params['jobId']);
        await act(deps, jobId, (request.body as unknown) ?? {});
        response.status(204).end();
      })
      .all(allowOnly('POST'));
  }
  return router;
}

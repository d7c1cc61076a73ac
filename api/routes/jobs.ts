import { Router } from 'express';
import { z } from 'zod';
import type { JobPage, StartedJob } from '../../contracts/api.ts';
import { jobRequestSchema } from '../../contracts/job.ts';
import { listJobs } from '../../db/jobs.ts';
import { needsOf } from '../attachments.ts';
import type { ApiDeps } from '../deps.ts';
import { allowOnly } from '../middleware/not-found.ts';
import { parseInput } from '../parse-input.ts';
import { requireJob } from '../require-job.ts';

const pageSchema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.coerce.number().int().positive().optional(),
});

export function jobRoutes({ database, jobs, readBlob }: ApiDeps): Router {
  const router = Router();

  router
    .route('/jobs')
    .get(async (request, response) => {
      const { jobs: shown, next } = await listJobs(database, parseInput(pageSchema, request.query));
      response.json({ jobs: shown, next: next === null ? null : String(next) } satisfies JobPage);
    })
    .post(async (request, response) => {
      const asked = parseInput(jobRequestSchema, request.body);
      const needs = await needsOf({ readBlob }, asked.attachments);
      const { attachments: _, ...chat } = asked;
      const started: StartedJob = await jobs.start(asked.kind === 'chat' ? chat : asked, needs);
      response
        .status(started.created ? 201 : 200)
        .location(`/v1/jobs/${started.jobId}`)
        .json(started);
    })
    .all(allowOnly('GET', 'POST'));

  router
    .route('/jobs/:jobId')
    .get(async (request, response) => {
      response.json(await requireJob(database, request.params.jobId));
    })
    .all(allowOnly('GET'));

  return router;
}

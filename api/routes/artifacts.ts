import { extname } from 'node:path';
import { Router } from 'express';
import { z } from 'zod';
import { HelixError } from '../../contracts/error.ts';
import type { JobView } from '../../contracts/job.ts';
import { findArtifact } from '../../db/artifacts.ts';
import type { ApiDeps } from '../deps.ts';
import { allowOnly } from '../middleware/not-found.ts';
import { parseInput } from '../parse-input.ts';
import { requireJob } from '../require-job.ts';

const nameSchema = z
  .string()
  .regex(/^[\w.-]{1,100}$/, "an artifact's name is made of letters, digits, dots, dashes and underscores");

/** The patch from a job's source to its result is offered beside the documents of its phases. */
const patchName = 'result.patch';

const contentTypes: Record<string, string> = {
  '.json': 'application/json; charset=utf-8',
  '.md': 'text/markdown; charset=utf-8',
  '.xml': 'application/xml; charset=utf-8',
  '.patch': 'text/x-diff; charset=utf-8',
};

export function artifactRoutes({ database, readBlob }: ApiDeps): Router {
  const router = Router();
  router
    .route('/jobs/:jobId/artifacts/:name')
    .get(async (request, response) => {
      const job = await requireJob(database, request.params.jobId);
      const name = parseInput(nameSchema, request.params.name);
      const hash = name === patchName ? patchOf(job) : await findArtifact(database, job.jobId, name);
      if (!hash) throw new HelixError('artifact.not-found', `job ${job.jobId} has no document "${name}"`);
      const content = await readBlob(hash);
      if (!content)
        throw new HelixError(
          'artifact.not-found',
          `document "${name}" of job ${job.jobId} is on record but no longer stored`,
        );
      response.type(contentTypes[extname(name)] ?? 'application/octet-stream').send(content);
    })
    .all(allowOnly('GET'));
  return router;
}

function patchOf(job: JobView): string | null {
  if (!job.result)
    throw new HelixError('job.wrong-state', `job ${job.jobId} is ${job.status}: its patch comes with its end`);
  return job.result.patch;
}

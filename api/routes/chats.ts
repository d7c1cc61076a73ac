import { type RequestHandler, Router } from 'express';
import { z } from 'zod';
import { chatForkSchema, chatMessageSchema, chatUndoSchema } from '../../contracts/chat.ts';
import { HelixError } from '../../contracts/error.ts';
import { checkpointSchema } from '../../contracts/job.ts';
import { needsOf } from '../attachments.ts';
import type { ApiDeps } from '../deps.ts';
import { allowOnly } from '../middleware/not-found.ts';
import { parseInput } from '../parse-input.ts';
import { requireJob } from '../require-job.ts';

const emptySchema = z.strictObject({});
const changesSchema = z.strictObject({ since: checkpointSchema.shape.id.optional() });

/** What chats take beside the messages of jobs: `say`, `undo`, `publish`, `fork`, and what has changed. */
export function chatRoutes({ database, chats, readBlob }: ApiDeps): Router {
  const router = Router();
  const chatOf = async (jobId: string): Promise<string> => {
    const { request } = await requireJob(database, jobId);
    if (request.kind !== 'chat') throw new HelixError('job.wrong-state', `${jobId} is a job and not a chat`);
    return jobId;
  };
  const post = (path: string, act: RequestHandler<{ jobId: string }>): void => {
    router.route(`/jobs/:jobId/${path}`).post(act).all(allowOnly('POST'));
  };

  post('say', async (request, response) => {
    const message = parseInput(chatMessageSchema, request.body);
    const chatId = await chatOf(request.params.jobId);
    await chats.say(chatId, message, await needsOf({ readBlob }, message.attachments));
    response.status(204).end();
  });
  post('undo', async (request, response) => {
    await chats.undo(await chatOf(request.params.jobId), parseInput(chatUndoSchema, request.body));
    response.status(204).end();
  });
  post('publish', async (request, response) => {
    parseInput(emptySchema, request.body ?? {});
    response.json({ branch: await chats.publish(await chatOf(request.params.jobId)) });
  });
  post('fork', async (request, response) => {
    const fork = parseInput(chatForkSchema, request.body ?? {});
    const started = await chats.fork(await chatOf(request.params.jobId), fork);
    response
      .status(started.created ? 201 : 200)
      .location(`/v1/jobs/${started.jobId}`)
      .json(started);
  });

  router
    .route('/jobs/:jobId/changes')
    .get(async (request, response) => {
      const { since } = parseInput(changesSchema, request.query);
      const hash = await chats.patch(await chatOf(request.params.jobId), since);
      const patch = hash === null ? Buffer.alloc(0) : await readBlob(hash);
      if (!patch) throw new HelixError('artifact.not-found', 'the changes were read and are no longer stored');
      response.type('text/x-diff; charset=utf-8').send(patch);
    })
    .all(allowOnly('GET'));
  return router;
}

import { Router } from 'express';
import { z } from 'zod';
import { readEvents } from '../../db/events.ts';
import type { ApiDeps } from '../deps.ts';
import { eventQuerySchema, seqSchema, type StreamTimings } from '../event-feed.ts';
import { streamEvents } from '../event-stream.ts';
import type { JobFeed } from '../job-feed.ts';
import { allowOnly } from '../middleware/not-found.ts';
import { parseInput } from '../parse-input.ts';
import { requireJob } from '../require-job.ts';

const querySchema = eventQuerySchema.extend({
  limit: z.coerce.number().int().min(1).max(1000).default(500),
  /** Of a page: types of events, with commas between them. */
  types: z
    .string()
    .transform((text) => text.split(','))
    .optional(),
});

/** A page of events as JSON, or with `Accept: text/event-stream` all that are and will be. */
export function eventRoutes({ database, logger }: ApiDeps, feed: JobFeed, timings: StreamTimings): Router {
  const router = Router();
  router
    .route('/jobs/:jobId/events')
    .get(async (request, response) => {
      const { jobId } = await requireJob(database, request.params.jobId);
      const query = parseInput(querySchema, request.query);
      response.vary('Accept');
      if (request.accepts(['application/json', 'text/event-stream']) !== 'text/event-stream') {
        response.json({ events: await readEvents(database, jobId, query.after, query.limit, query.types) });
        return;
      }
      // A browser that connects again sends the address it had at first, and this.
      const lastEventId = request.get('Last-Event-ID');
      const after = lastEventId === undefined ? query.after : parseInput(seqSchema, lastEventId);
      await streamEvents(response, { database, feed, logger, timings, jobId, after, follow: query.follow });
    })
    .all(allowOnly('GET'));
  return router;
}

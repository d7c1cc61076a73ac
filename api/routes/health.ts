import { Router } from 'express';
import type { ApiDeps } from '../deps.ts';
import { allowOnly } from '../middleware/not-found.ts';

/** Answers 200 as long as the process serves requests; a database that is away is told, and mends without a restart of this process. */
export function healthRoutes({ database }: ApiDeps): Router {
  const router = Router();
  router
    .route('/health')
    .get(async (_request, response) => {
      const isReachable = await database.query('select').then(
        () => true,
        () => false,
      );
      response.json({ status: isReachable ? 'ok' : 'degraded', database: isReachable ? 'reachable' : 'unreachable' });
    })
    .all(allowOnly('GET'));
  return router;
}

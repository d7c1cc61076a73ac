import { Router } from 'express';
import { usageQuerySchema } from '../../contracts/usage.ts';
import { readUsage } from '../../db/usage.ts';
import type { ApiDeps } from '../deps.ts';
import { allowOnly } from '../middleware/not-found.ts';
import { parseInput } from '../parse-input.ts';

/** What calls of language models took. */
export function usageRoutes({ database }: ApiDeps): Router {
  const router = Router();
  router
    .route('/usage')
    .get(async (request, response) => {
      response.json(await readUsage(database, parseInput(usageQuerySchema, request.query)));
    })
    .all(allowOnly('GET'));
  return router;
}

import { Router } from 'express';
import { HelixError } from '../../contracts/error.ts';
import { nodeTokenRequestSchema } from '../../contracts/node.ts';
import { getToken, listTokens, revokeToken } from '../../db/join-tokens.ts';
import type { ApiDeps } from '../deps.ts';
import { allowOnly } from '../middleware/not-found.ts';
import { parseInput } from '../parse-input.ts';

export function nodeTokenRoutes({ database, nodeTokens }: ApiDeps): Router {
  const router = Router();

  router
    .route('/node-tokens')
    .get(async (_request, response) => {
      response.json({ tokens: await listTokens(database) });
    })
    .post(async (request, response) => {
      const made = await nodeTokens.make(parseInput(nodeTokenRequestSchema, request.body ?? {}));
      response.set('cache-control', 'no-store').status(201).json(made);
    })
    .all(allowOnly('GET', 'POST'));

  router
    .route('/node-program')
    .get(async (_request, response) => {
      response.type('text/javascript').send(await nodeTokens.program());
    })
    .all(allowOnly('GET'));

  router
    .route('/node-tokens/:id')
    .delete(async (request, response) => {
      const { id } = request.params;
      if (!(await revokeToken(database, id))) throw notOpen(id, (await getToken(database, id))?.state);
      response.status(204).end();
    })
    .all(allowOnly('DELETE'));

  return router;
}

function notOpen(id: string, state: string | undefined): HelixError {
  const why = state === undefined ? 'there is none' : `it is ${state}`;
  return new HelixError(
    'node.token-not-found',
    `the token "${id}" cannot be revoked, ${why}: "helix nodes tokens" lists those there are`,
  );
}

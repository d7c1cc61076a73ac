import { Router } from 'express';
import { HelixError } from '../../contracts/error.ts';
import { nodeNameSchema, nodeRegistrationSchema } from '../../contracts/node.ts';
import { getNode, listNodes } from '../../db/nodes.ts';
import type { ApiDeps } from '../deps.ts';
import { allowOnly } from '../middleware/not-found.ts';
import { parseInput } from '../parse-input.ts';

export function nodeRoutes({ database, nodes }: ApiDeps): Router {
  const router = Router();

  router
    .route('/nodes')
    .get(async (_request, response) => {
      response.json({ nodes: await listNodes(database) });
    })
    .post(async (request, response) => {
      const node = await nodes.add(parseInput(nodeRegistrationSchema, request.body));
      response.status(201).location(`/v1/nodes/${node.name}`).json(node);
    })
    .all(allowOnly('GET', 'POST'));

  router
    .route('/nodes/:name')
    .get(async (request, response) => {
      const name = parseInput(nodeNameSchema, request.params.name);
      const node = await getNode(database, name);
      if (!node)
        throw new HelixError('node.not-found', `there is no node "${name}": "helix nodes" lists those there are`);
      response.json(node);
    })
    .delete(async (request, response) => {
      await nodes.remove(parseInput(nodeNameSchema, request.params.name));
      response.status(204).end();
    })
    .all(allowOnly('GET', 'DELETE'));

  router
    .route('/nodes/:name/probe')
    .post(async (request, response) => {
      response.json(await nodes.probe(parseInput(nodeNameSchema, request.params.name)));
    })
    .all(allowOnly('POST'));

  return router;
}

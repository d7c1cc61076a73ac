import { Router } from 'express';
import { capabilityClassSchema } from '../../contracts/capability-class.ts';
import { listClasses } from '../../db/classes.ts';
import { listNodes } from '../../db/nodes.ts';
import { describeClass } from '../../fleet/capability.ts';
import type { ApiDeps } from '../deps.ts';
import { allowOnly } from '../middleware/not-found.ts';
import { parseInput } from '../parse-input.ts';

export function classRoutes({ database }: ApiDeps): Router {
  const router = Router();

  router
    .route('/classes')
    .get(async (_request, response) => {
      const [names, nodes] = await Promise.all([listClasses(database), listNodes(database)]);
      response.json({ classes: names.map((name) => describeClass(name, true, nodes)) });
    })
    .all(allowOnly('GET'));

  router
    .route('/classes/:class')
    .get(async (request, response) => {
      const name = parseInput(capabilityClassSchema, request.params.class);
      const [names, nodes] = await Promise.all([listClasses(database), listNodes(database)]);
      response.json(describeClass(name, names.includes(name), nodes));
    })
    .all(allowOnly('GET'));

  return router;
}

import { Router } from 'express';
import { z } from 'zod';
import { HelixError } from '../../contracts/error.ts';
import {
  cordonSchema,
  drainSchema,
  nodeNameSchema,
  type NodeRecord,
  nodeRegistrationSchema,
} from '../../contracts/node.ts';
import { listNodeEvents } from '../../db/node-events.ts';
import { readMetrics } from '../../db/node-metrics.ts';
import { getNode, listNodes } from '../../db/nodes.ts';
import type { ApiDeps } from '../deps.ts';
import { allowOnly } from '../middleware/not-found.ts';
import { parseInput } from '../parse-input.ts';
import { flagSchema } from '../query-flag.ts';

const eventsQuerySchema = z.object({ limit: z.coerce.number().int().min(1).max(1000).default(50) });

const metricsQuerySchema = z.object({
  /** Seconds that each row stands for. */
  period: z.coerce
    .number()
    .refine((seconds) => [0, 60, 3600].includes(seconds), 'one of 0, 60 and 3600')
    .default(60),
  since: z.iso.datetime().optional(),
});

const removalQuerySchema = z.strictObject({ purge: flagSchema });

export function nodeRoutes({ database, nodes }: ApiDeps): Router {
  const router = Router();
  const known = async (given: unknown): Promise<NodeRecord> => {
    const name = parseInput(nodeNameSchema, given);
    const node = await getNode(database, name);
    if (!node)
      throw new HelixError('node.not-found', `there is no node "${name}": "helix nodes" lists those there are`);
    return node;
  };

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
      response.json(await known(request.params.name));
    })
    .delete(async (request, response) => {
      const name = parseInput(nodeNameSchema, request.params.name);
      response.json(await nodes.remove(name, parseInput(removalQuerySchema, request.query)));
    })
    .all(allowOnly('GET', 'DELETE'));

  router
    .route('/nodes/:name/events')
    .get(async (request, response) => {
      const { limit } = parseInput(eventsQuerySchema, request.query);
      const { name } = await known(request.params.name);
      response.json({ events: await listNodeEvents(database, name, limit) });
    })
    .all(allowOnly('GET'));

  router
    .route('/nodes/:name/metrics')
    .get(async (request, response) => {
      const { period, since } = parseInput(metricsQuerySchema, request.query);
      const { name } = await known(request.params.name);
      const from = since === undefined ? new Date(Date.now() - 3_600_000) : new Date(since);
      response.json({ metrics: await readMetrics(database, name, period, from) });
    })
    .all(allowOnly('GET'));

  const command = (verb: string, act: (name: string, body: unknown) => Promise<void>): void => {
    router
      .route(`/nodes/:name/${verb}`)
      .post(async (request, response) => {
        const name = parseInput(nodeNameSchema, request.params.name);
        await act(name, request.body ?? {});
        response.status(202).json({});
      })
      .all(allowOnly('POST'));
  };
  command('cordon', (name, body) => nodes.cordon(name, parseInput(cordonSchema, body).reason));
  command('uncordon', (name) => nodes.uncordon(name));
  command('drain', (name, body) => nodes.drain(name, parseInput(drainSchema, body)));
  command('retire', (name, body) => nodes.retire(name, parseInput(drainSchema, body)));

  router
    .route('/nodes/:name/probe')
    .post(async (request, response) => {
      response.json(await nodes.probe(parseInput(nodeNameSchema, request.params.name)));
    })
    .all(allowOnly('POST'));

  return router;
}

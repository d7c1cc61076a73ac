import { nodeEventListSchema, nodeMetricsListSchema } from '../contracts/api.ts';
import type { NodeEvent, NodeMetrics } from '../contracts/node.ts';
import type { DrainRequest } from '../contracts/node-workflow.ts';
import type { Http } from './http.ts';

/** The part of the API that is about keeping nodes. All throw `node.not-found`. */
export interface NodeClient {
  cordonNode(name: string, reason?: string): Promise<void>;
  /** Out of quarantine too. */
  uncordonNode(name: string): Promise<void>;
  /** Returns at once; the node's state and its events say how it goes on. */
  drainNode(name: string, request?: Partial<DrainRequest>): Promise<void>;
  retireNode(name: string, request?: Partial<DrainRequest>): Promise<void>;
  /** Changes of its state, newest first. */
  listNodeEvents(name: string, limit?: number): Promise<NodeEvent[]>;
  /** Rows that each stand for `period` seconds, oldest first; 0 for single samples, else 60 or 3600. */
  readNodeMetrics(name: string, period: number, since: Date): Promise<NodeMetrics[]>;
}

export function createNodeClient(http: Http): NodeClient {
  const path = (name: string, what: string): string => `/nodes/${encodeURIComponent(name)}/${what}`;
  const post = async (name: string, verb: string, body: object): Promise<void> => {
    await http.send(path(name, verb), { method: 'POST', body });
  };
  return {
    cordonNode: (name, reason) => post(name, 'cordon', reason === undefined ? {} : { reason }),
    uncordonNode: (name) => post(name, 'uncordon', {}),
    drainNode: (name, request = {}) => post(name, 'drain', request),
    retireNode: (name, request = {}) => post(name, 'retire', request),
    listNodeEvents: async (name, limit = 50) =>
      (await http.json(nodeEventListSchema, path(name, `events?limit=${limit}`))).events,
    readNodeMetrics: async (name, period, since) => {
      const query = new URLSearchParams({ period: String(period), since: since.toISOString() });
      return (await http.json(nodeMetricsListSchema, path(name, `metrics?${query.toString()}`))).metrics;
    },
  };
}

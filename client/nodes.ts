import { nodeEventListSchema, nodeMetricsListSchema, nodeTokenListSchema } from '../contracts/api.ts';
import {
  type NewNodeToken,
  newNodeTokenSchema,
  type NodeEvent,
  type NodeMetrics,
  type NodeToken,
  type NodeTokenRequest,
} from '../contracts/node.ts';
import type { DrainRequest } from '../contracts/node-workflow.ts';
import type { Http } from './http.ts';

/** The part of the API that is about keeping nodes. All that name a node throw `node.not-found`. */
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
  /** Makes a token with which one machine joins by itself. Throws `stack.unreachable` when no node-pool listens. */
  makeNodeToken(request?: Partial<NodeTokenRequest>): Promise<NewNodeToken>;
  /** The program, one file for Node 20 or later, that a machine without HelixCode joins with. */
  readNodeProgram(): Promise<Uint8Array>;
  /** Newest first. */
  listNodeTokens(): Promise<NodeToken[]>;
  /** Throws `node.token-not-found` when there is none that can still be used. */
  revokeNodeToken(id: string): Promise<void>;
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
    makeNodeToken: (request = {}) => http.json(newNodeTokenSchema, '/node-tokens', { method: 'POST', body: request }),
    readNodeProgram: async () => new Uint8Array(await (await http.send('/node-program')).arrayBuffer()),
    listNodeTokens: async () => (await http.json(nodeTokenListSchema, '/node-tokens')).tokens,
    revokeNodeToken: async (id) => {
      await http.send(`/node-tokens/${encodeURIComponent(id)}`, { method: 'DELETE' });
    },
  };
}

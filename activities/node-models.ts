import { Context } from '@temporalio/activity';
import { HelixError } from '../contracts/error.ts';
import type { LlmRequest } from '../contracts/llm.ts';
import type { LocalModel } from '../contracts/local-model.ts';
import type { NodeModelAsked, NodeModelName, NodeModelPull, NodeModelQuestion } from '../contracts/node-models.ts';
import type { Elsewhere } from '../contracts/node-workflow.ts';
import type { ModelCallInput, ModelCallResult } from '../contracts/workflow.ts';
import type { Database } from '../db/database.ts';
import { removeNodeModel, saveNodeModel } from '../db/node-models.ts';
import { getNode } from '../db/nodes.ts';
import type { NodeModels } from '../llm/local/node/client.ts';
import { NodeLlamaCpp } from '../llm/local/node/provider.ts';
import { placeOf } from '../llm/local/place.ts';
import type { Progress } from '../llm/local/progress.ts';
import { parseSource } from '../llm/local/source.ts';
import { parseModelName } from '../llm/routing/model-name.ts';
import { activityGroup, heartbeatWith } from './activity-group.ts';
import { createModelActivities, type ModelDeps } from './models.ts';
import { StreamLog } from './stream-log.ts';

/** The hosts of models on the nodes that this node-pool holds. */
export interface ModelHostControl {
  acquire(node: string): Promise<{ models: NodeModels; release(): void }>;
  use<T>(node: string, use: (models: NodeModels) => Promise<T>): Promise<T>;
}

export interface NodeModelDeps extends Omit<ModelDeps, 'provider'> {
  /** Id of this node-pool. */
  nodePool: string;
  hosts: ModelHostControl;
  database: Database;
}

/** Models on nodes; each is answered with `heldBy` when another node-pool has the node. */
export function createNodeModelActivities({ nodePool, hosts, ...deps }: NodeModelDeps) {
  const { database, logs } = deps;
  const provider = new NodeLlamaCpp((node) => hosts.acquire(node));
  const { callModel } = createModelActivities({ ...deps, provider });
  const elsewhere = async (node: string): Promise<Elsewhere | undefined> => {
    const record = await getNode(database, node);
    if (!record) throw new HelixError('node.not-found', `there is no node named ${node}: "helix nodes" lists them`);
    if (record.pool !== undefined && record.pool !== nodePool) return { heldBy: record.pool };
    if (record.state !== 'unreachable') return undefined;
    const why = record.reason === undefined ? '' : `: ${record.reason}`;
    throw new HelixError('llm.unavailable', `the node ${node}, where the model is, is not connected${why}`);
  };

  return activityGroup({
    /** Brings a model to a node. How far it is goes with the heartbeats. */
    async pullNodeModel({ node, source: text }: NodeModelPull): Promise<LocalModel | Elsewhere> {
      const other = await elsewhere(node);
      if (other) return other;
      const source = parseSource(text);
      if (source.kind === 'ollama') throw new HelixError('usage.invalid', `${text} is pulled by Ollama itself`);
      let latest: Progress = { what: `starting on ${node}` };
      heartbeatWith(() => latest);
      const { cancellationSignal } = Context.current();
      const model = await hosts.use(node, (models) =>
        models.pull(source, (progress) => (latest = progress), cancellationSignal),
      );
      await saveNodeModel(database, node, model);
      return model;
    },

    async removeNodeModel({ node, name }: NodeModelName): Promise<object> {
      const other = await elsewhere(node);
      if (other) return other;
      await hosts
        .use(node, (models) => models.remove(name))
        .catch((error: unknown) => {
          // Removed already, by an earlier attempt or by hand.
          if (!(error instanceof HelixError && error.code === 'llm.model-not-found')) throw error;
        });
      await removeNodeModel(database, node, name);
      return {};
    },

    /** Asks a model one thing; what it says is written down as it comes, under the name `log`. */
    async askNodeModel({ node, request: hash, log: id }: NodeModelQuestion): Promise<NodeModelAsked | Elsewhere> {
      const other = await elsewhere(node);
      if (other) return other;
      const { cancellationSignal: signal, info } = Context.current();
      const content = await deps.blobs.get(hash);
      if (!content) throw new HelixError('internal', `the request ${hash} is not in the blob store any more`);
      const request = JSON.parse(content.toString()) as LlmRequest;
      const log = await StreamLog.open(logs, id, info.attempt);
      try {
        for await (const event of provider.generateStream(request, { signal })) {
          if (event.type !== 'finish') await log.write(event);
          else return { usage: event.response.usage, stopReason: event.response.stopReason };
        }
      } finally {
        await log.close();
      }
      throw new HelixError('llm.malformed-answer', `${request.model} ended its answer without finishing it`);
    },

    /** `callModel`, of a model on a node. */
    async callNodeModel(input: ModelCallInput): Promise<ModelCallResult | Elsewhere> {
      const { node = '' } = placeOf(parseModelName(input.model).model);
      return (await elsewhere(node)) ?? (await callModel(input));
    },
  });
}

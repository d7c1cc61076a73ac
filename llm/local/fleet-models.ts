import { HelixError } from '../../contracts/error.ts';
import type { ModelInfo } from '../../contracts/llm.ts';
import type {
  LocalModel,
  LocalModelDetails,
  LocalModelList,
  PlacedModel,
  PullEvent,
  RecommendationList,
} from '../../contracts/local-model.ts';
import { nearestNames } from '../../contracts/nearest-names.ts';
import type { NodeRecord } from '../../contracts/node.ts';
import { llamaCppModelInfo } from '../providers/llamacpp/model-info.ts';
import { fit, type ModelSize } from './fit.ts';
import type { LocalModels } from './local-models.ts';
import { type Machine, machinesOf, placesFor } from './machines.ts';
import { placeOf } from './place.ts';
import type { Progress } from './progress.ts';
import { recommend } from './recommend.ts';
import { parseSource } from './source.ts';

export interface FleetModelsOptions {
  /** Those of the controller. */
  local: LocalModels;
  nodes(): Promise<NodeRecord[]>;
  /** What is on record of the nodes' models. */
  placed(): Promise<PlacedModel[]>;
  /** What is done on nodes, by whoever is connected to them. */
  remote: {
    pull(node: string, source: string, signal: AbortSignal): AsyncGenerator<Progress, LocalModel>;
    remove(node: string, name: string): Promise<void>;
  };
  contextTokens?: number | undefined;
}

/** The models on the user's own machines, the controller and its nodes: what fits where, what is where, and how it gets there. */
export class FleetModels {
  readonly #options: FleetModelsOptions;

  constructor(options: FleetModelsOptions) {
    this.#options = options;
  }

  async list(): Promise<LocalModelList> {
    const [models, ollama] = await Promise.all([this.#all(), this.#options.local.ollamaModels()]);
    return { models, ...ollama };
  }

  /** For one machine where a node is named, otherwise for all. Throws `node.not-found`. */
  async recommend(node?: string): Promise<RecommendationList> {
    const machines = await this.#machines(node);
    const models = recommend(machines, await this.#all());
    return { machines: machines.map(({ node: name, hardware }) => ({ node: name, hardware })), models };
  }

  /**
   * Brings a model to a node, without a name to the one that suits best. Tells how far it is, and last of all the name to ask. Ending it early
   * leaves a part that the next pull goes on from. Throws `node.not-found`, `node.unsuitable` when it fits nowhere, and what pulling throws.
   */
  async *pull(text: string, wish: string | undefined, signal: AbortSignal): AsyncGenerator<PullEvent> {
    const { local, remote } = this.#options;
    const source = parseSource(text);
    if (source.kind === 'ollama') {
      if (wish !== undefined)
        throw new HelixError('usage.invalid', `Ollama keeps ${source.model} where it runs: leave --node out`);
      yield* local.pull(text, signal);
      return;
    }
    const machines = await this.#machines(wish);
    let machine = machines[0]!;
    if (machines.length > 1) {
      yield { type: 'progress', what: `looking for the node that suits ${text}` };
      machine = best(await local.sizeOf(source, signal), machines, text);
    }
    if (machine.isController) {
      yield* local.pull(text, signal);
      return;
    }
    const { node } = machine;
    const pulling = remote.pull(node, text, signal);
    for (let next = await pulling.next(); ; next = await pulling.next()) {
      if (next.done) {
        yield { type: 'done', name: `llamacpp/${next.value.name}@${node}`, model: next.value };
        return;
      }
      yield { type: 'progress', ...next.value, what: `${node}: ${next.value.what}` };
    }
  }

  /** Throws `llm.model-not-found`, and `usage.invalid` when it is on several nodes and none is named. */
  async remove(name: string, node?: string): Promise<void> {
    const { local, remote } = this.#options;
    if (name.startsWith('ollama/')) return await local.remove(name);
    const model = await this.#one(name, node);
    if (await this.#isController(model.node)) await local.remove(model.name);
    else await remote.remove(model.node, model.name);
  }

  /** Throws as `remove` does. */
  async info(name: string, node?: string): Promise<LocalModelDetails> {
    const { local } = this.#options;
    if (name.startsWith('ollama/')) return await local.ollamaInfo(name);
    const model = await this.#one(name, node);
    const machines = await machinesOf(await this.#options.nodes());
    const machine = machines.find((one) => one.node === model.node);
    return {
      model,
      ...(machine?.isController ? { path: local.pathOf(model) } : {}),
      ...(machine ? { fit: fit(sizeOfModel(model), machine.hardware) } : {}),
    };
  }

  /** What can be asked of llama.cpp on nodes. */
  async nodeModels(): Promise<ModelInfo[]> {
    const placed = await this.#options.placed();
    return placed.map(({ name, node, facts }) =>
      llamaCppModelInfo(`${name}@${node}`, facts, this.#options.contextTokens),
    );
  }

  /** Full names of a model everywhere it is, the best place first; empty where it is not pulled at all. */
  async placesOf(wanted: string): Promise<string[]> {
    const { name, node } = placeOf(wanted);
    const nodes = await this.#options.nodes();
    const models = (await this.#all()).filter((one) => one.name === name && (node ?? one.node) === one.node);
    const machines = await machinesOf(nodes);
    const speed = (model: PlacedModel): number => {
      const machine = machines.find((one) => one.node === model.node);
      // A node that is away may be back when the model is asked; until then others come first.
      return machine ? fit(sizeOfModel(model), machine.hardware).tokensPerSecond : -1;
    };
    const controller = machines[0]!.node;
    return models
      .map((model) => ({ model, tokensPerSecond: speed(model) }))
      .toSorted((a, b) => b.tokensPerSecond - a.tokensPerSecond)
      .map(({ model }) => `llamacpp/${model.name}${model.node === controller ? '' : `@${model.node}`}`);
  }

  async #all(): Promise<PlacedModel[]> {
    const { local, placed, nodes } = this.#options;
    const [own, others, records] = await Promise.all([local.list(), placed(), nodes()]);
    const [controller] = await machinesOf(records);
    return [...own.map((model) => ({ ...model, node: controller!.node })), ...others];
  }

  async #one(wanted: string, wish: string | undefined): Promise<PlacedModel> {
    const { name, node = wish } = placeOf(wanted.replace(/^llamacpp\//, ''));
    const all = await this.#all();
    const found = all.filter((model) => model.name === name && (node ?? model.node) === model.node);
    const [only, ...others] = found;
    if (!only) {
      const near = nearestNames(
        name,
        all.map((model) => model.name),
      );
      const hint = near.length > 0 && !near.includes(name) ? `; did you mean ${near.join(' or ')}?` : '';
      throw new HelixError(
        'llm.model-not-found',
        `there is no local model ${name}${node === undefined ? '' : ` on ${node}`}${hint} ("helix models list --local" lists them, "helix models pull" fetches one)`,
      );
    }
    if (others.length === 0) return only;
    const places = found.map((model) => model.node).join(', ');
    throw new HelixError('usage.invalid', `${name} is on ${places}: say which one is meant with --node`);
  }

  async #machines(wish: string | undefined): Promise<Machine[]> {
    const nodes = await this.#options.nodes();
    const machines = await machinesOf(nodes);
    if (wish === undefined) return machines;
    const found = machines.find(({ node }) => node === wish);
    if (found) return [found];
    const known = nodes.find(({ name }) => name === wish);
    if (!known) throw new HelixError('node.not-found', `there is no node ${JSON.stringify(wish)}`);
    const why = known.reason === undefined ? '' : ` (${known.reason})`;
    throw new HelixError(
      'node.unreachable',
      `the node ${wish} is ${known.state}${why}: name another, or try again later`,
    );
  }

  async #isController(node: string): Promise<boolean> {
    const [controller] = await machinesOf(await this.#options.nodes());
    return controller!.node === node;
  }
}

function best(size: ModelSize, machines: readonly Machine[], what: string): Machine {
  const [first] = placesFor(size, machines);
  if (first) return first.machine;
  throw new HelixError(
    'node.unsuitable',
    `${what} fits none of the nodes: add one with more memory and disk, or name one with --node to pull it all the same`,
  );
}

function sizeOfModel({ files, facts }: LocalModel): ModelSize {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return { bytes, cacheBytesPerToken: facts.cacheBytesPerToken, contextTokens: facts.contextTokens ?? 4096 };
}

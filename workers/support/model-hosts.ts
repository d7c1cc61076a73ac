import { join } from 'node:path';
import { bundleProgram } from '../../fleet/agent/bundle.ts';
import type { FleetNode } from '../../fleet/node.ts';
import type { NodeProgram } from '../../fleet/node-program.ts';
import { RpcConnection } from '../../fleet/wire/connection.ts';
import type { Config } from '../../config/schema.ts';
import { HelixError } from '../../contracts/error.ts';
import { resolveSecret } from '../../config/secret.ts';
import { Hub, type HubSettings } from '../../llm/local/hub.ts';
import { NodeModels } from '../../llm/local/node/client.ts';
import { Relay } from '../../llm/local/node/relay.ts';
import type { HostSettings } from '../../llm/local/node/wire.ts';

export interface ModelHostsOptions {
  /** The connected nodes by name. */
  node(name: string): FleetNode | undefined;
  /** Of the controller, where llama.cpp for other machines is kept. */
  home: string;
  /** Where the program for the nodes is bundled. */
  cacheDir: string;
  /** The hub as the controller asks it for nodes that do not reach it. */
  hub: HubSettings;
  settings: HostSettings;
}

interface Opened {
  models: Promise<NodeModels>;
  users: number;
  idle?: NodeJS.Timeout;
  close(): void;
}

/** The program runs on Node 20, which lacks this. */
const before = `Promise.withResolvers ??= function () {
  let resolve, reject;
  const promise = new this((yes, no) => { resolve = yes; reject = no; });
  return { promise, resolve, reject };
};`;

/** The hosts of models on nodes, each started when it is first wanted; it ends when nobody has wanted it for a while, or with the connection. */
export class ModelHosts {
  private readonly options: ModelHostsOptions;
  private readonly relay: Relay;
  private readonly opened = new Map<string, Opened>();
  private program: Promise<NodeProgram> | undefined;
  private closed = false;

  constructor(options: ModelHostsOptions) {
    this.options = options;
    this.relay = new Relay(options.home, new Hub(options.hub));
  }

  /** The models of a node, and what gives them back. Throws `llm.unavailable` and `node.lost` when it is not connected. */
  async acquire(name: string): Promise<{ models: NodeModels; release(): void }> {
    const opened = this.opened.get(name) ?? this.open(name);
    opened.users += 1;
    clearTimeout(opened.idle);
    const release = (): void => {
      opened.users -= 1;
      if (opened.users > 0) return;
      opened.idle = setTimeout(() => opened.close(), this.options.settings.idleMs);
      opened.idle.unref();
    };
    try {
      return { models: await opened.models, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  async use<T>(name: string, use: (models: NodeModels) => Promise<T>): Promise<T> {
    const { models, release } = await this.acquire(name);
    try {
      return await use(models);
    } finally {
      release();
    }
  }

  /** Ends them all; what is under way fails. */
  close(): void {
    this.closed = true;
    for (const opened of this.opened.values()) opened.close();
  }

  private open(name: string): Opened {
    const closing = Promise.withResolvers<void>();
    const opened: Opened = { models: this.start(name, closing.promise), users: 0, close: closing.resolve };
    this.opened.set(name, opened);
    const forget = (): void => {
      clearTimeout(opened.idle);
      if (this.opened.get(name) === opened) this.opened.delete(name);
    };
    void closing.promise.then(forget);
    opened.models.then((models) => models.ended.then(forget), forget);
    return opened;
  }

  private async start(name: string, closing: Promise<void>): Promise<NodeModels> {
    const { cacheDir, settings } = this.options;
    this.program ??= bundleProgram(
      { name: 'model-host', entry: join(import.meta.dirname, '..', 'model-host.ts'), before },
      cacheDir,
    );
    this.program.catch(() => (this.program = undefined));
    const program = await this.program;
    const node = this.options.node(name);
    if (!node || this.closed)
      throw new HelixError('llm.unavailable', `the node ${name} is not connected: "helix nodes" says why`, {
        details: { node: name },
      });
    if (node.facts.os === 'win32')
      throw new HelixError(
        'llm.unsupported',
        `${name} runs Windows, on which HelixCode does not run models: use a model of another node`,
        {
          details: { node: name },
        },
      );
    const running = await node.openProgram(program);
    const connection = new RpcConnection(running.input, running.output, this.relay.handlers());
    void closing.then(() => connection.close());
    void running.ended.then((how) => connection.close(new Error(`the program that runs models there ended: ${how}`)));
    connection.onClose(() => running.close());
    try {
      return await NodeModels.open(name, connection, this.relay, settings);
    } catch (error) {
      running.close();
      throw error;
    }
  }
}

/** How long a node's models go on without a word of the controller. */
const leaseMs = 20_000;

/** By the configuration: what holds for models on the controller holds for those on nodes. */
export function createModelHosts({ home, llm }: Config, cacheDir: string, node: ModelHostsOptions['node']): ModelHosts {
  const { hubUrl, hubToken, gpu, contextTokens, threads, idleMs, timeoutMs } = llm.llamacpp;
  const token = hubToken === undefined ? undefined : resolveSecret('llm.llamacpp.hubToken', hubToken);
  const settings = { hubUrl, gpu, contextTokens, threads, idleMs, timeoutMs, leaseMs };
  return new ModelHosts({ node, home, cacheDir, hub: { url: hubUrl, token }, settings });
}

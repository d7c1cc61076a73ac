import type { SshTarget } from '../contracts/node.ts';
import { AgentNode } from './agent-node.ts';
import { bundleAgent, type AgentBundle } from './agent/bundle.ts';
import { defaultTiming } from './agent/timing.ts';
import { startAgent } from './agent-start.ts';
import type { FleetNode } from './fleet-node.ts';
import { defaultLinkTiming, NodeLink, type AgentLink } from './node-link.ts';
import type { NodeOptions } from './node-options.ts';
import { probeAgent } from './probe.ts';
import { installAgent, type InstalledAgent } from './ssh/bootstrap.ts';
import { connectSsh, type SshConnection } from './ssh/connect.ts';
import { openChannel } from './ssh/exec.ts';
import type { HostKeyTrust } from './ssh/host-key.ts';

const defaultRoot = '~/.helix';

export interface SshNodeOptions extends NodeOptions {
  ssh: SshTarget;
  /** What the first connection trusts; later ones of the same node accept that key alone. */
  hostKey: HostKeyTrust;
  /** Folder of the controller for the bundled agent. */
  cacheDir: string;
}

/** A node with what is to be put on record of the way to it: the fingerprint of the accepted host key, and those of the hosts on the way. */
export type SshFleetNode = FleetNode & { readonly hostKey: string; readonly ssh: SshTarget };

/**
 * Connects to a machine, brings the agent there and looks at what it has. Throws `node.unreachable`, `node.host-key`, `node.authentication`, `node.unsuitable`, `node.disk-full`.
 */
export async function openSshNode(options: SshNodeOptions): Promise<SshFleetNode> {
  const timing = { ...defaultTiming, ...defaultLinkTiming, ...options.timing };
  const bundle = await bundleAgent(options.cacheDir);
  const dialer = new SshDialer(options, bundle, timing);
  const first = await dialer.dial();
  try {
    const facts = await probeAgent(first.connection, options.name);
    const link = new NodeLink(options.name, first, () => dialer.dial(), timing);
    const node = new AgentNode({ name: options.name, facts, link, stores: options.stores, sharesStores: false });
    return Object.assign(node, { hostKey: dialer.hostKey!, ssh: dialer.ssh });
  } catch (error) {
    first.close();
    throw error;
  }
}

function pinJumps(ssh: SshTarget, keys: string[]): SshTarget {
  if (!ssh.jumps) return ssh;
  const jumps = ssh.jumps.map((jump, index) => ({
    ...jump,
    hostKey: { kind: 'fingerprint' as const, sha256: keys[index]! },
  }));
  return { ...ssh, jumps };
}

class SshDialer {
  readonly #options: SshNodeOptions;
  readonly #bundle: AgentBundle;
  readonly #timing: typeof defaultTiming;
  #installed: InstalledAgent | undefined;
  /** Known after the first `dial`. */
  hostKey: string | undefined;
  /** From the first `dial` on with the fingerprints of the hosts on the way. */
  ssh: SshTarget;

  constructor(options: SshNodeOptions, bundle: AgentBundle, timing: typeof defaultTiming) {
    this.#options = options;
    this.ssh = options.ssh;
    this.#bundle = bundle;
    this.#timing = timing;
  }

  async dial(): Promise<AgentLink> {
    const { hostKey, name } = this.#options;
    const connection = await connectSsh(this.ssh, this.hostKey ? { kind: 'pinned', sha256: this.hostKey } : hostKey);
    this.hostKey = connection.hostKey;
    this.ssh = pinJumps(this.ssh, connection.jumpKeys);
    try {
      const remembered = this.#installed;
      this.#installed = undefined;
      const installed =
        remembered ?? (await installAgent(connection.client, name, this.ssh.root ?? defaultRoot, this.#bundle));
      const link = await this.#start(connection, installed);
      this.#installed = installed;
      return link;
    } catch (error) {
      connection.client.destroy();
      throw error;
    }
  }

  async #start({ client }: SshConnection, { root, command }: InstalledAgent): Promise<AgentLink> {
    const { name, logger, tenure, cacheBytes } = this.#options;
    const { pollSeconds, leaseSeconds, graceSeconds } = this.#timing;
    const timing = JSON.stringify({ pollSeconds, leaseSeconds, graceSeconds });
    const channel = await openChannel(client, command(['serve', '--root', root, '--timing', timing]));
    let lastWords = '';
    channel.stderr.on('data', (chunk: Buffer) => {
      lastWords = chunk.toString().trim().slice(-500);
      logger?.debug({ node: name, output: lastWords }, 'agent wrote to stderr');
    });
    const ended = new Promise<string>((resolve) => {
      client.once('error', (error) => resolve(error.message));
      client.once('close', () => resolve('the connection was lost'));
      channel.once('close', () => resolve(lastWords || 'the agent ended'));
    });
    return startAgent(
      { input: channel, output: channel, ended, close: () => client.destroy() },
      { name, cacheBytes, ...(tenure ? { tenure } : {}) },
    );
  }
}

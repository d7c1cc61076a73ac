import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { AgentNode } from './agent-node.ts';
import { bundleAgent } from './agent/bundle.ts';
import { defaultTiming } from './agent/timing.ts';
import { startAgent } from './agent-start.ts';
import type { FleetNode } from './fleet-node.ts';
import { defaultLinkTiming, NodeLink, type AgentLink } from './node-link.ts';
import type { NodeOptions } from './node-options.ts';
import { probeAgent } from './probe.ts';

export interface LocalNodeOptions extends NodeOptions {
  /** Where the node keeps everything, e.g. `<HELIX_HOME>/node`. */
  root: string;
  /**
   * True (the default): the node works in the very stores that `stores` gives, by their folders, and nothing is copied between
   * controller and node. False: it has stores of its own below its root, like a remote node.
   */
  shareStores?: boolean;
}

/**
 * Opens the controller's own machine as a node: the same agent as on a remote node, as a child process. Closing the node, or the
 * death of this process, ends the agent and leaves its commands running until their leases end.
 * Throws `node.unsuitable` without git.
 */
export async function openLocalNode(options: LocalNodeOptions): Promise<FleetNode> {
  const { name, root, stores, shareStores = true } = options;
  const bundle = await bundleAgent(join(root, 'bin'));
  const timing = { ...defaultTiming, ...defaultLinkTiming, ...options.timing };
  const dial = (): Promise<AgentLink> => dialLocal(bundle.file, root, timing, options);
  const first = await dial();
  try {
    const facts = await probeAgent(first.connection, name);
    const link = new NodeLink(name, first, dial, timing);
    return new AgentNode({ name, facts, link, stores, sharesStores: shareStores });
  } catch (error) {
    first.close();
    throw error;
  }
}

async function dialLocal(
  file: string,
  root: string,
  timing: typeof defaultTiming,
  { name, logger, tenure, cacheBytes }: LocalNodeOptions,
): Promise<AgentLink> {
  const { pollSeconds, leaseSeconds, graceSeconds } = timing;
  const parameters = [
    file,
    'serve',
    '--root',
    root,
    '--timing',
    JSON.stringify({ pollSeconds, leaseSeconds, graceSeconds }),
  ];
  // A session of its own: an interrupt typed at the terminal is the controller's to deal with.
  const child = spawn(process.execPath, parameters, { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  child.stderr.on('data', (chunk: Buffer) =>
    logger?.debug({ node: name, output: chunk.toString() }, 'agent wrote to stderr'),
  );
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(`the agent ended (${signal ?? `exit code ${code}`})`));
  });
  return startAgent(
    { input: child.stdout, output: child.stdin, ended, close: () => child.kill('SIGKILL') },
    { name, cacheBytes, ...(tenure ? { tenure } : {}) },
  );
}

import { AgentNode } from './agent-node.ts';
import { bundleAgent } from './agent/bundle.ts';
import { defaultTiming } from './agent/timing.ts';
import { startAgent } from './agent-start.ts';
import type { FleetNode } from './fleet-node.ts';
import type { JoinSession } from './join/session.ts';
import { type AgentLink, defaultLinkTiming, NodeLink } from './node-link.ts';
import type { NodeOptions } from './node-options.ts';
import { startProgram } from './node-program.ts';
import { probeAgent } from './probe.ts';

export interface JoinedNodeOptions extends NodeOptions {
  session: JoinSession;
  /** Waits for the machine to come back after it was lost. */
  next(signal: AbortSignal): Promise<JoinSession>;
  /** Folder of the controller for the bundled agent. */
  cacheDir: string;
}

/**
 * Opens a node over a connection that its machine has made: brings the agent there where it is not, starts it and looks at what the machine has.
 * When the connection is lost it is waited for the machine. Throws `node.unreachable`, `node.unsuitable`, `node.disk-full`.
 */
export async function openJoinedNode(options: JoinedNodeOptions): Promise<FleetNode> {
  const { name, session, stores } = options;
  const timing = { ...defaultTiming, ...defaultLinkTiming, ...options.timing };
  const first = await openAgent(session, options, timing);
  try {
    const facts = await probeAgent(first.connection, name);
    const link = new NodeLink(
      name,
      first,
      async (signal) => openAgent(await options.next(signal), options, timing),
      timing,
    );
    return new AgentNode({ name, facts, link, stores, sharesStores: false });
  } catch (error) {
    first.close();
    throw error;
  }
}

async function openAgent(
  session: JoinSession,
  { name, tenure, cacheDir, cacheBytes }: JoinedNodeOptions,
  { pollSeconds, leaseSeconds, graceSeconds }: typeof defaultTiming,
): Promise<AgentLink> {
  try {
    const { file, sha256 } = await bundleAgent(cacheDir);
    const words = ['serve', '--timing', JSON.stringify({ pollSeconds, leaseSeconds, graceSeconds })];
    const { input, output, ended, close } = await startProgram(
      session.connection,
      name,
      { name: 'agent', file, sha256 },
      words,
    );
    const streams = {
      input,
      output,
      ended,
      close: () => {
        close();
        session.onRelease();
      },
    };
    const link = await startAgent(streams, { name, cacheBytes, ...(tenure ? { tenure } : {}) });
    // Not before: the machine is a node once its agent answers.
    if (session.identity.kind === 'node') await session.welcome({ name });
    return link;
  } catch (error) {
    session.onRelease();
    throw error;
  }
}

import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { HelixError } from '../contracts/error.ts';
import type { Database } from '../db/database.ts';
import { listListeners } from '../db/join-listeners.ts';
import { insertToken, revokeToken } from '../db/join-tokens.ts';
import { joinAddress, splitAddress } from '../fleet/join/address.ts';
import { loadControllerKey, secretOf } from '../fleet/join/controller-key.ts';
import { bundleJoiner } from '../fleet/joiner/bundle.ts';
import { formatToken } from '../fleet/join/token.ts';
import type { NodeTokenControl } from './deps.ts';

interface NodeTokenOptions {
  /** Holds the controller's key. */
  keyFile: string;
  /** Folder of the controller for bundled programs. */
  cacheDir: string;
  /** What a node-pool is given to listen; it is told of a new token, and looks for one every two seconds. */
  listeningWithinMs?: number;
}

export function createNodeTokens(
  database: Database,
  { keyFile, cacheDir, listeningWithinMs = 10_000 }: NodeTokenOptions,
): NodeTokenControl {
  return {
    program: async () => await readFile((await bundleJoiner(cacheDir)).file),
    async make(request) {
      if (request.address !== undefined && !splitAddress(request.address)) {
        throw new HelixError(
          'usage.invalid',
          `address is ${JSON.stringify(request.address)}; allowed is HOST, HOST:PORT or [IPv6]:PORT`,
        );
      }
      const id = randomBytes(8).toString('hex');
      const expiresAt = await insertToken(database, id, request);
      const addresses = await listeningAt(database, request.address, listeningWithinMs).catch(
        async (error: unknown) => {
          await revokeToken(database, id);
          throw error;
        },
      );
      const secret = secretOf(loadControllerKey(keyFile), { kind: 'token', id }).toString('base64url');
      return { id, token: formatToken({ addresses, id, secret }), addresses, expiresAt };
    },
  };
}

/** Waits until somebody listens; gives where, or `wished`, with the port where it has none. */
async function listeningAt(database: Database, wished: string | undefined, withinMs: number): Promise<string[]> {
  for (const deadline = Date.now() + withinMs; Date.now() < deadline; await sleep(100)) {
    const listeners = await listListeners(database);
    const addresses = listeners.flatMap((listener) =>
      (wished === undefined ? listener.addresses : [wished]).map((text) => withPort(text, listener.port)),
    );
    if (addresses.length > 0) return [...new Set(addresses)];
  }
  throw new HelixError(
    'stack.unreachable',
    'no node-pool listens for machines that join: see that one is running, and in its log why it does not listen',
  );
}

function withPort(text: string, listening: number): string {
  const { host, port = listening } = splitAddress(text) ?? { host: text };
  return joinAddress(host, port);
}

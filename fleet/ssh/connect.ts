import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type ConnectConfig } from 'ssh2';
import { HelixError } from '../../contracts/error.ts';
import type { SshTarget } from '../../contracts/node.ts';
import { authenticationMethods } from './authentication.ts';
import { fingerprint, planHostKey, type HostKeyTrust } from './host-key.ts';

export interface SshConnection {
  client: Client;
  /** Fingerprint of the host key that was accepted. */
  hostKey: string;
}

const readyTimeoutMs = 10_000;
/** A server that is being greeted by many at once drops some of them before it says hello (MaxStartups). */
const busyRetries = 6;

/**
 * Connects and logs in; the host key is checked before authentication.
 * Throws `node.unreachable`, `node.host-key` or `node.authentication`.
 */
export async function connectSsh(target: SshTarget, trust: HostKeyTrust): Promise<SshConnection> {
  const methods = authenticationMethods(target);
  const { check, attempts } = planHostKey(trust, target.host, target.port);
  let refusal: unknown;
  for (const [index, serverHostKey] of attempts.entries()) {
    try {
      return await connectPatiently({ ...target, methods, check, serverHostKey });
    } catch (error) {
      // The first refusal shows the key the server prefers; later ones only say that it has none of that type.
      if (index === 0 || !isKeyQuestion(refusal)) refusal = error;
      if (!isKeyQuestion(error)) throw error;
    }
  }
  throw refusal;
}

interface Attempt extends SshTarget {
  methods: ReturnType<typeof authenticationMethods>;
  check: ReturnType<typeof planHostKey>['check'];
  serverHostKey: string[];
}

async function connectPatiently(attempt: Attempt): Promise<SshConnection> {
  for (let retry = 0; ; retry += 1) {
    try {
      return await connectOnce(attempt);
    } catch (error) {
      if (!(error instanceof Dropped) || retry >= busyRetries) throw error;
      await sleep(50 * 2 ** retry * (0.5 + Math.random()));
    }
  }
}

function connectOnce({ host, port, user, methods, check, serverHostKey }: Attempt): Promise<SshConnection> {
  const client = new Client();
  return new Promise((resolve, reject) => {
    let hostKey = '';
    let refused: HelixError | undefined;
    const address = `${user}@${host}:${port}`;
    const fail = (error: Error & { level?: string; code?: string }): void => {
      client.destroy();
      reject(refused ?? translate(error, address));
    };
    // It may report further errors while it is being destroyed, and later; without a listener each would end the process.
    client.on('error', () => {});
    client.once('error', fail);
    client.once('close', () =>
      fail(
        Object.assign(new Error('the server closed the connection'), { level: 'client-socket', code: 'ECONNRESET' }),
      ),
    );
    client.once('ready', () => {
      client.off('error', fail);
      client.removeAllListeners('close');
      client.setNoDelay(true);
      resolve({ client, hostKey });
    });
    const config: ConnectConfig = {
      host,
      port,
      username: user,
      readyTimeout: readyTimeoutMs,
      keepaliveInterval: 1000,
      keepaliveCountMax: 3,
      authHandler: [...methods],
      algorithms: {
        serverHostKey: serverHostKey as NonNullable<NonNullable<ConnectConfig['algorithms']>['serverHostKey']>,
      },
      hostVerifier: (key: Buffer) => {
        hostKey = fingerprint(key);
        refused = check(key);
        return refused === undefined;
      },
    };
    client.connect(config);
  });
}

/** The server hung up before it said who it is. */
class Dropped extends HelixError {}

function translate(error: Error & { level?: string; code?: string }, address: string): HelixError {
  const options = { cause: error };
  if (error.level === 'client-authentication') {
    return new HelixError(
      'node.authentication',
      `${address} accepted none of the keys: add the public key to ~/.ssh/authorized_keys there, or name another key file`,
      options,
    );
  }
  if (/no matching host key format/i.test(error.message)) {
    return new HelixError(
      'node.host-key',
      `${address} has no host key of the expected type (${error.message})`,
      options,
    );
  }
  if (error.code === 'ECONNRESET' || /before handshake/i.test(error.message)) {
    return new Dropped(
      'node.unreachable',
      `${address} closed the connection before the login (${error.message})`,
      options,
    );
  }
  return new HelixError(
    'node.unreachable',
    `${address} cannot be reached (${error.message}): is the machine up, and the address right?`,
    options,
  );
}

function isKeyQuestion(error: unknown): boolean {
  return error instanceof HelixError && error.code === 'node.host-key';
}

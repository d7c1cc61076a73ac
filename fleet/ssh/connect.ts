import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type ClientChannel, type ConnectConfig } from 'ssh2';
import { HelixError } from '../../contracts/error.ts';
import type { SshAddress, SshTarget } from '../../contracts/node.ts';
import { findCredentials, type Credentials } from './authentication.ts';
import { allowCertificates } from './certified-key.ts';
import { fingerprint } from './fingerprint.ts';
import { HungUp, scanHostCertificate } from './host-key-scan.ts';
import { openForward, type Through } from './forward.ts';
import { planHostKey, type HostKeyPlan, type HostKeyTrust } from './host-key.ts';

export interface SshConnection {
  client: Client;
  /** Fingerprint of the host key that was accepted. */
  hostKey: string;
  /** The same of each host on the way, the first one first. */
  jumpKeys: string[];
}

const readyTimeoutMs = 10_000;
/** A server that is being greeted by many at once drops some of them before it says hello (MaxStartups). */
const busyRetries = 6;

/**
 * Connects and logs in, through the hosts on the way if there are any; each host's key is checked before authentication.
 * Throws `node.unreachable`, `node.host-key` or `node.authentication`.
 */
export async function connectSsh(target: SshTarget, trust: HostKeyTrust): Promise<SshConnection> {
  const jumps = target.jumps ?? [];
  const jumpKeys: string[] = [];
  let through: Through | undefined;
  try {
    for (const jump of jumps) {
      const { client, hostKey } = await connectHop(jump, jump.hostKey, `jump host ${describe(jump)}`, through);
      through = { client, name: describe(jump) };
      jumpKeys.push(hostKey);
    }
    const last = await connectHop(target, trust, describe(target), through);
    return { ...last, jumpKeys };
  } catch (error) {
    // The hosts before it end with it, because each is the connection of the next.
    through?.client.destroy();
    throw error;
  }
}

interface Hop {
  client: Client;
  hostKey: string;
}

function describe({ user, host, port }: SshAddress): string {
  return `${user}@${host}:${port}`;
}

async function connectHop(target: SshAddress, trust: HostKeyTrust, name: string, through?: Through): Promise<Hop> {
  const credentials = findCredentials(target);
  const { host, port } = target;
  const scan = async (): Promise<Buffer> =>
    await scanHostCertificate(through ? await openForward(through, target, name) : connect({ host, port }));
  const { check, attempts } = await planHostKey(trust, host, port, () => patiently(scan));
  let refusal: unknown;
  for (const [index, serverHostKey] of attempts.entries()) {
    try {
      const attempt = { target, name, credentials, check, serverHostKey, through };
      return await patiently(async () => connectOnce(attempt, through && (await openForward(through, target, name))));
    } catch (error) {
      // The first refusal shows the key the server prefers; later ones only say that it has none of that type.
      if (index === 0 || !isKeyQuestion(refusal)) refusal = error;
      if (!isKeyQuestion(error)) throw error;
    }
  }
  throw refusal;
}

interface Attempt {
  target: SshAddress;
  /** For messages. */
  name: string;
  credentials: Credentials;
  check: HostKeyPlan['check'];
  serverHostKey: string[];
  through: Through | undefined;
}

async function patiently<T>(connectTo: () => Promise<T>): Promise<T> {
  for (let retry = 0; ; retry += 1) {
    try {
      return await connectTo();
    } catch (error) {
      if (!(error instanceof Dropped || error instanceof HungUp) || retry >= busyRetries) throw error;
      await sleep(50 * 2 ** retry * (0.5 + Math.random()));
    }
  }
}

function connectOnce(attempt: Attempt, sock: ClientChannel | undefined): Promise<Hop> {
  const { target, name, credentials, check, serverHostKey, through } = attempt;
  const { host, port, user } = target;
  const client = new Client();
  return new Promise((resolve, reject) => {
    let hostKey = '';
    let refused: HelixError | undefined;
    const fail = (error: Error & { level?: string; code?: string }): void => {
      client.destroy();
      sock?.destroy();
      reject(refused ?? translate(error, name, credentials));
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
      if (through) client.once('close', () => through.client.destroy());
      resolve({ client, hostKey });
    });
    const config: ConnectConfig = {
      ...(sock ? { sock } : { host, port }),
      username: user,
      readyTimeout: readyTimeoutMs,
      // The agent is asked more often; this is for what comes before it.
      keepaliveInterval: 4000,
      keepaliveCountMax: 2,
      authHandler: [...credentials.methods],
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
    try {
      allowCertificates(client);
    } catch (error) {
      fail(error as Error);
    }
  });
}

/** The server hung up before it said who it is. */
class Dropped extends HelixError {}

function translate(
  error: Error & { level?: string; code?: string },
  address: string,
  { refused }: Credentials,
): HelixError {
  if (error instanceof HelixError) return error;
  const options = { cause: error };
  if (error.level === 'client-authentication') {
    const advice = 'add the public key to ~/.ssh/authorized_keys there, or name another user or key file';
    return new HelixError(
      'node.authentication',
      [`${address} accepted none of the keys: ${advice}`, ...refused()].join('; '),
      options,
    );
  }
  if (/too many authentication failures/i.test(error.message)) {
    return new HelixError(
      'node.authentication',
      [`${address} refused so many keys that it hung up (MaxAuthTries): name a key file`, ...refused()].join('; '),
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

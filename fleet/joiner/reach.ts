import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { splitAddress } from '../join/address.ts';
import { formatIdentity, type JoinIdentity } from '../join/controller-key.ts';
import { secureOptions } from '../join/secure.ts';

const connectMs = 10_000;

/** None of the addresses led to the controller. */
export class Unreached extends Error {
  override readonly name = 'Unreached';
}

/** As whom to connect, and where. */
export interface Way {
  addresses: readonly string[];
  identity: JoinIdentity;
  /** 32 bytes as base64url. */
  secret: string;
}

/** Connects to the first address where the controller answers that knows the secret. Throws `Unreached` with what was wrong at each. */
export async function reach({ addresses, identity, secret }: Way, signal: AbortSignal): Promise<TLSSocket> {
  const failures: string[] = [];
  for (const address of addresses) {
    signal.throwIfAborted();
    try {
      return await connectTo(address, identity, secret, signal);
    } catch (error) {
      signal.throwIfAborted();
      failures.push(describeFailure(address, error as NodeJS.ErrnoException));
    }
  }
  throw new Unreached(failures.join('; '));
}

function connectTo(address: string, identity: JoinIdentity, secret: string, signal: AbortSignal): Promise<TLSSocket> {
  const { host, port } = splitAddress(address) ?? {};
  const options: ConnectionOptions = {
    ...secureOptions,
    host,
    port,
    pskCallback: () => ({ psk: Buffer.from(secret, 'base64url'), identity: formatIdentity(identity) }),
    // There is no certificate whose name could be looked at: the secret is what proves who answers.
    checkServerIdentity: () => undefined,
  };
  return new Promise((resolve, reject) => {
    const socket = connect(options);
    const give = (): void => void socket.destroy(signal.reason as Error);
    const timer = setTimeout(() => socket.destroy(timedOut()), connectMs);
    signal.addEventListener('abort', give, { once: true });
    const settle = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', give);
    };
    socket.once('secureConnect', () => {
      settle();
      socket.setNoDelay(true);
      resolve(socket);
    });
    socket.once('error', reject);
    socket.once('close', () => {
      settle();
      reject(new Error('it closed the connection'));
    });
  });
}

function timedOut(): NodeJS.ErrnoException {
  return Object.assign(new Error(`no answer within ${connectMs / 1000} s`), { code: 'ETIMEDOUT' });
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the name cannot be looked up',
  EHOSTUNREACH: 'there is no way to it',
  ENETUNREACH: 'there is no way to it',
  ETIMEDOUT: 'no answer',
  ECONNRESET: 'it closed the connection',
};

function describeFailure(address: string, { code, message }: NodeJS.ErrnoException): string {
  const isStranger = code?.startsWith('ERR_SSL_') === true;
  const reason = isStranger
    ? 'what answers there does not know the secret, so it is not the controller that gave it, or has lost its key; it was told nothing'
    : (reasons[code ?? ''] ?? message);
  return `${address}: ${reason}`;
}

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { HelixError } from '../../contracts/error.ts';
import type { HostKeyPolicy } from '../../contracts/node.ts';
import { lookUpHost } from './known-hosts.ts';

export type HostKeyTrust = HostKeyPolicy | { kind: 'pinned'; sha256: string };

/** Decides about an offered key: undefined when it is trusted, else the error to fail with, before authentication. */
export type HostKeyCheck = (key: Buffer) => HelixError | undefined;

/** Key types in the order OpenSSH prefers them, with the signature algorithms of each. */
const families: Record<string, string[]> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
};
const allAlgorithms = Object.values(families).flat();

export interface HostKeyPlan {
  check: HostKeyCheck;
  /**
   * Signature algorithms to offer, one list per connection attempt. A fingerprint does not say its key's type, and a server shows one
   * key per connection, so each family is asked for in turn until one fits.
   */
  attempts: string[][];
}

/** Throws `node.host-key` when the known hosts file cannot be read or does not have the host. */
export function planHostKey(trust: HostKeyTrust, host: string, port: number): HostKeyPlan {
  const address = port === 22 ? host : `[${host}]:${port}`;
  if (trust.kind === 'accept-new') return { check: () => undefined, attempts: [allAlgorithms] };
  if (trust.kind === 'known-hosts') return planKnownHosts(trust.file, address, host, port);
  const expected = trust.sha256.replace(/=$/, '');
  const check: HostKeyCheck = (key) => {
    const offered = fingerprint(key);
    return offered === expected ? undefined : mismatch(address, [expected], key);
  };
  return { check, attempts: Object.values(families) };
}

function planKnownHosts(file: string, address: string, host: string, port: number): HostKeyPlan {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new HelixError(
      'node.host-key',
      `the known hosts file ${file} cannot be read (${(error as Error).message}): name another one, or give a fingerprint`,
      {
        cause: error,
      },
    );
  }
  const { trusted, revoked } = lookUpHost(text, host, port);
  const check: HostKeyCheck = (key) => {
    if (revoked.some((one) => one.equals(key))) {
      return new HelixError(
        'node.host-key',
        `the host key ${describe(key)} of ${address} is revoked in ${file}: the connection was refused`,
      );
    }
    if (trusted.some((one) => one.equals(key))) return undefined;
    if (trusted.length > 0) return mismatch(address, trusted.map(fingerprint), key);
    return new HelixError(
      'node.host-key',
      `${address} is not in ${file}; it offered ${describe(key)}: compare that with "ssh-keygen -lf" on the machine and give it as fingerprint, or add the host to the file`,
      { details: { offered: fingerprint(key) } },
    );
  };
  const known = trusted.flatMap((key) => families[keyType(key)] ?? []);
  return { check, attempts: [known.length > 0 ? known : allAlgorithms] };
}

/** `SHA256:` and 43 base64 characters, as OpenSSH prints it. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

function describe(key: Buffer): string {
  return `${fingerprint(key)} (${keyType(key)})`;
}

function keyType(key: Buffer): string {
  return key.length < 4 ? 'unknown' : key.toString('latin1', 4, 4 + Math.min(key.readUInt32BE(0), 64));
}

function mismatch(address: string, expected: string[], key: Buffer): HelixError {
  return new HelixError(
    'node.host-key',
    `the host key of ${address} is not the expected one: expected ${expected.join(' or ')}, offered ${describe(key)}. Somebody may be in between; ` +
      'if the machine was set up anew, remove the node and add it with the new key',
    { details: { expected, offered: fingerprint(key) } },
  );
}

import { readFileSync } from 'node:fs';
import { HelixError } from '../../contracts/error.ts';
import type { HostKeyPolicy } from '../../contracts/node.ts';
import { parseCertificate } from './certificate.ts';
import { fingerprint } from './fingerprint.ts';
import { hostCertificateProblem, type HostAuthorities } from './host-certificate.ts';
import { lookUpHost } from './known-hosts.ts';
import { signatureAlgorithms, signatureAlgorithmsOf } from './signature-algorithms.ts';

export type HostKeyTrust = HostKeyPolicy | { kind: 'pinned'; sha256: string };

/** Decides about an offered key: undefined when it is trusted, else the error to fail with, before authentication. */
export type HostKeyCheck = (key: Buffer) => HelixError | undefined;

export interface HostKeyPlan {
  check: HostKeyCheck;
  /**
   * Signature algorithms to offer, one list per connection attempt. A fingerprint does not say its key's type, and a server shows one
   * key per connection, so each family is asked for in turn until one fits.
   */
  attempts: string[][];
}

/**
 * `scan` asks the host for a certificate of its key, which is wanted when the known hosts file has an authority for the host. Later the
 * connection proves that the host has the key that it certifies.
 * Throws `node.host-key` when the known hosts file cannot be read.
 */
export async function planHostKey(
  trust: HostKeyTrust,
  host: string,
  port: number,
  scan: () => Promise<Buffer>,
): Promise<HostKeyPlan> {
  const address = withPort(host, port);
  if (trust.kind === 'accept-new') return { check: () => undefined, attempts: [signatureAlgorithms] };
  if (trust.kind === 'known-hosts') return await planKnownHosts(trust.file, host, port, scan);
  const expected = trust.sha256.replace(/=$/, '');
  const check: HostKeyCheck = (key) => {
    const offered = fingerprint(key);
    return offered === expected ? undefined : mismatch(address, [expected], key);
  };
  return { check, attempts: Object.values(signatureAlgorithmsOf) };
}

async function planKnownHosts(
  file: string,
  host: string,
  port: number,
  scan: () => Promise<Buffer>,
): Promise<HostKeyPlan> {
  const address = withPort(host, port);
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
  const { trusted, ...signing } = lookUpHost(text, host, port);
  const { revoked, authorities } = signing;
  let byAuthority = '';
  if (authorities.length > 0) {
    const certified = await certifiedHostKey(scan, host, signing);
    if (certified.key) trusted.push(certified.key);
    else byAuthority = `; ${file} has a certificate authority for it, and ${certified.problem}`;
  }
  const check: HostKeyCheck = (key) => {
    if (revoked.some((one) => one.equals(key))) {
      return new HelixError(
        'node.host-key',
        `the host key ${describe(key)} of ${address} is revoked in ${file}: the connection was refused`,
      );
    }
    if (trusted.some((one) => one.equals(key))) return undefined;
    if (trusted.length > 0) return mismatch(address, trusted.map(fingerprint), key, byAuthority);
    return new HelixError(
      'node.host-key',
      `${address} is not in ${file}${byAuthority}; it offered ${describe(key)}: compare that with "ssh-keygen -lf" on the machine and give it as fingerprint, or add the host to the file`,
      { details: { offered: fingerprint(key) } },
    );
  };
  const known = trusted.flatMap((key) => signatureAlgorithmsOf[keyType(key)] ?? []);
  return { check, attempts: [known.length > 0 ? known : signatureAlgorithms] };
}

/** The key that a certificate of the host's certifies, or why none does. */
async function certifiedHostKey(
  scan: () => Promise<Buffer>,
  host: string,
  signing: HostAuthorities,
): Promise<{ key?: Buffer; problem?: string }> {
  try {
    const certificate = parseCertificate(await scan());
    const problem = hostCertificateProblem(certificate, host, signing);
    return problem === undefined ? { key: certificate.publicKey } : { problem };
  } catch (error) {
    return { problem: `a certificate of its host key could not be had (${(error as Error).message})` };
  }
}

function withPort(host: string, port: number): string {
  return port === 22 ? host : `[${host}]:${port}`;
}

function describe(key: Buffer): string {
  return `${fingerprint(key)} (${keyType(key)})`;
}

function keyType(key: Buffer): string {
  return key.length < 4 ? 'unknown' : key.toString('latin1', 4, 4 + Math.min(key.readUInt32BE(0), 64));
}

function mismatch(address: string, expected: string[], key: Buffer, more = ''): HelixError {
  return new HelixError(
    'node.host-key',
    `the host key of ${address} is not the expected one: expected ${expected.join(' or ')}, offered ${describe(key)}${more}. Somebody may be in between; ` +
      'if the machine was set up anew, remove the node and add it with the new key',
    { details: { expected, offered: fingerprint(key) } },
  );
}

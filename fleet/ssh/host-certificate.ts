import { createPublicKey, verify } from 'node:crypto';
import ssh2 from 'ssh2';
import { describeCertificate, type Certificate } from './certificate.ts';
import { matchesPattern } from './known-hosts.ts';
import { WireReader } from './wire-reader.ts';

export interface HostAuthorities {
  /** Public keys that may sign certificates of the host. */
  authorities: Buffer[];
  revoked: Buffer[];
}

/** Why a certificate says nothing about the key of this host, or undefined when it does. */
export function hostCertificateProblem(
  certificate: Certificate,
  host: string,
  { authorities, revoked }: HostAuthorities,
): string | undefined {
  const { kind, principals, validFrom, validUntil, criticalOptions, authority } = certificate;
  const among = (keys: Buffer[], key: Buffer): boolean => keys.some((one) => one.equals(key));
  const says = (problem: string): string => `${problem} (${describeCertificate(certificate)})`;
  if (!among(authorities, authority)) return says('its certificate is signed by another CA');
  if (among(revoked, authority)) return says('this CA is revoked there');
  if (kind !== 'host') return says('its certificate is one for users');
  if (!isSigned(certificate))
    return says('the signature of its certificate is wrong, or of a type that is not accepted');
  if (validUntil <= Date.now()) return says('its certificate has expired');
  if (validFrom > Date.now()) return says('its certificate is not valid yet');
  if (!principals.some((one) => matchesPattern(one, host.toLowerCase()))) {
    return says(`its certificate is not for ${host}`);
  }
  return criticalOptions.size > 0 ? says('its certificate has critical options, which are not known') : undefined;
}

const hashes: Record<string, string | null> = {
  'ssh-ed25519': null,
  'ecdsa-sha2-nistp256': 'sha256',
  'ecdsa-sha2-nistp384': 'sha384',
  'ecdsa-sha2-nistp521': 'sha512',
  'rsa-sha2-512': 'sha512',
  'rsa-sha2-256': 'sha256',
};
/** Bytes of each of the two numbers of an ECDSA signature. */
const numberSizes: Record<string, number> = {
  'ecdsa-sha2-nistp256': 32,
  'ecdsa-sha2-nistp384': 48,
  'ecdsa-sha2-nistp521': 66,
};

/** By its authority's key. A signature with SHA-1 is none. */
function isSigned({ authority, signed, signature }: Certificate): boolean {
  try {
    const key = ssh2.utils.parseKey(authority);
    if (key instanceof Error || Array.isArray(key)) return false;
    const reader = new WireReader(signature);
    const algorithm = reader.text();
    const hash = hashes[algorithm];
    if (hash === undefined) return false;
    const size = numberSizes[algorithm];
    const value = size === undefined ? reader.string() : twoNumbers(reader.string(), size);
    return verify(hash, signed, { key: createPublicKey(key.getPublicPEM()), dsaEncoding: 'ieee-p1363' }, value);
  } catch {
    return false;
  }
}

/** SSH writes a number as short as it can be, with a zero before what would look negative; here each has its full size. */
function twoNumbers(value: Buffer, size: number): Buffer {
  const reader = new WireReader(value);
  const fixed = [reader.string(), reader.string()].map((number) => {
    const digits = number[0] === 0 ? number.subarray(1) : number;
    return Buffer.concat([Buffer.alloc(size - digits.length), digits]);
  });
  return Buffer.concat(fixed);
}

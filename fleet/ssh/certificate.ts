import { lastWords } from '../last-words.ts';
import { fingerprint } from './fingerprint.ts';
import { WireReader, wireString } from './wire-reader.ts';

/** An OpenSSH certificate, as PROTOCOL.certkeys of OpenSSH describes it. */
export interface Certificate {
  /** As it goes over the wire. */
  blob: Buffer;
  /** The public key that it certifies, without the certificate. */
  publicKey: Buffer;
  kind: 'user' | 'host';
  keyId: string;
  principals: string[];
  /** Milliseconds since 1970; 0 and Infinity where it is not limited. */
  validFrom: number;
  validUntil: number;
  /** The names of its critical options, with their values. */
  criticalOptions: Map<string, string>;
  /** The public key that signed it. */
  authority: Buffer;
  /** What of it is signed, and the signature. */
  signed: Buffer;
  signature: Buffer;
}

const suffix = '-cert-v01@openssh.com';
/** How many fields make up the public key of each type that there are certificates for here. */
const keyFields = new Map([
  ['ssh-ed25519', 1],
  ['ssh-rsa', 2],
  ['ecdsa-sha2-nistp256', 2],
  ['ecdsa-sha2-nistp384', 2],
  ['ecdsa-sha2-nistp521', 2],
]);

/** Whether a public key on the wire is a certificate, of whatever type. */
export function isCertificate(blob: Buffer): boolean {
  return blob.length > 4 && blob.toString('latin1', 4, 4 + Math.min(blob.readUInt32BE(0), 100)).endsWith(suffix);
}

/** The certificate's name of a key type or of a signature algorithm. */
export function certifiedName(plain: string): string {
  return plain + suffix;
}

/** Throws an Error that says in a few words what is wrong with it. The signature is not checked. */
export function parseCertificate(blob: Buffer): Certificate {
  const reader = new WireReader(blob);
  const type = reader.text();
  const plain = type.endsWith(suffix) ? type.slice(0, -suffix.length) : '';
  const fields = keyFields.get(plain);
  if (fields === undefined) throw new Error(`the type ${lastWords(type)} is not supported`);
  reader.string(); // A nonce.
  const key = Array.from({ length: fields }, () => wireString(reader.string()));
  reader.uint64(); // Its serial number.
  const kind = reader.uint32();
  if (kind !== 1 && kind !== 2) throw new Error('it is neither for users nor for hosts');
  return {
    blob,
    publicKey: Buffer.concat([wireString(plain), ...key]),
    kind: kind === 1 ? 'user' : 'host',
    keyId: reader.text(),
    principals: readTexts(reader.string()),
    validFrom: milliseconds(reader.uint64()),
    validUntil: milliseconds(reader.uint64()),
    criticalOptions: readOptions(reader.string()),
    ...readSignature(reader),
  };
}

/** Reads `KEY-cert.pub`. Throws like parseCertificate. */
export function parseCertificateFile(content: Buffer): Certificate {
  const [, key] = content.toString('latin1').trim().split(/\s+/);
  return parseCertificate(Buffer.from(key ?? '', 'base64'));
}

/** What it holds, for a message. */
export function describeCertificate(certificate: Certificate): string {
  const { keyId, principals, validFrom, validUntil, criticalOptions, authority } = certificate;
  const some = principals.slice(0, 8).map((name) => lastWords(name));
  const more = principals.length > some.length ? ` and ${principals.length - some.length} more` : '';
  const from = validFrom > Date.now() ? ` from ${date(validFrom)}` : '';
  const until = validUntil === Infinity ? 'forever' : `until ${date(validUntil)}`;
  const options = [...criticalOptions].map(([name, value]) => `${name}=${value}`);
  return [
    `key id "${lastWords(keyId)}"`,
    `principals: ${some.length > 0 ? some.join(', ') + more : 'none'}`,
    `valid${from} ${until}`,
    ...(options.length > 0 ? [`with ${lastWords(options.join(', '))}`] : []),
    `signed by the CA ${fingerprint(authority)}`,
  ].join('; ');
}

/** Why a server that refused it may have done so, as far as that can be seen from here. */
export function likelyRefusal(certificate: Certificate, user: string): string {
  const { principals, validFrom, validUntil, criticalOptions } = certificate;
  const now = Date.now();
  if (validUntil <= now) return `it expired at ${date(validUntil)}: have a new one signed`;
  if (validFrom > now) return `it is not valid before ${date(validFrom)}: is this machine's clock right?`;
  if (!principals.includes(user)) {
    return `${user} is not among its principals: have one signed for ${user}, or let one of its principals log in as ${user} there (AuthorizedPrincipalsFile)`;
  }
  const fromElsewhere = criticalOptions.has('source-address') ? 'is this machine at its source-address, and ' : '';
  return `${fromElsewhere}does the server trust this CA (TrustedUserCAKeys)?`;
}

function readTexts(list: Buffer): string[] {
  const reader = new WireReader(list);
  const texts: string[] = [];
  while (!reader.ended) texts.push(reader.text());
  return texts;
}

/** Each value is itself a string within a string. */
function readOptions(list: Buffer): Map<string, string> {
  const reader = new WireReader(list);
  const options = new Map<string, string>();
  while (!reader.ended) {
    const name = reader.text();
    const value = reader.string();
    options.set(name, value.length > 0 ? new WireReader(value).text() : '');
  }
  return options;
}

function readSignature(reader: WireReader): Pick<Certificate, 'authority' | 'signed' | 'signature'> {
  reader.string(); // What is permitted beyond logging in.
  reader.string(); // Reserved.
  const authority = reader.string();
  return { authority, signed: reader.passed, signature: reader.string() };
}

function milliseconds(seconds: bigint): number {
  return seconds >= 1n << 63n ? Infinity : Number(seconds) * 1000;
}

/** A time that no calendar here can hold is as good as for ever. */
function date(time: number): string {
  return new Date(Math.min(time, 8.64e15)).toISOString().replace('.000Z', 'Z');
}

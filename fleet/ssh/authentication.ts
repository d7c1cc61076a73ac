import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import ssh2, { type AnyAuthMethod, type ParsedKey } from 'ssh2';
import { resolveSecret } from '../../config/secret.ts';
import { HelixError } from '../../contracts/error.ts';
import type { SshAddress } from '../../contracts/node.ts';
import { AgentKeys } from './agent-keys.ts';
import { certifiedKey } from './certified-key.ts';
import { certificateBeside, describeRefused, notShown, type KeyCertificate } from './key-certificate.ts';

export interface Credentials {
  /** To be tried in this order. */
  methods: AnyAuthMethod[];
  /** What to say of certificates when a server has refused all of it, as parts of a sentence. */
  refused(): string[];
}

/**
 * What to log in with: the given key file alone, with the agent's help where it is encrypted and no passphrase is known; or else the
 * SSH agent, then the user's default keys. A key that has a certificate is shown with it first, and then without.
 * Throws `node.authentication` when a key file cannot be used, or there is nothing to try.
 */
export function findCredentials(address: SshAddress): Credentials {
  const { user, keyFile } = address;
  const agent = process.env.SSH_AUTH_SOCK;
  if (keyFile) return keyFileCredentials(address, keyFile, agent);
  const keys = ['id_ed25519', 'id_ecdsa', 'id_rsa'].flatMap((name) => readDefaultKey(join(homedir(), '.ssh', name)));
  if (!agent && keys.every(({ key }) => !key)) {
    throw new HelixError(
      'node.authentication',
      'there is no key to log in with: no SSH agent is running and ~/.ssh has no usable default key; name a key file',
    );
  }
  return toCredentials(user, keys, agent);
}

interface FileKey {
  /** Undefined when it is encrypted, and so for the agent to hold. */
  key?: ParsedKey;
  beside: KeyCertificate;
}

/** `only` is the public key that the agent is asked for alone. */
function toCredentials(username: string, keys: FileKey[], agent?: string, only?: Buffer): Credentials {
  const usable = keys.flatMap(({ key, beside }) => (key ? { key, beside } : []));
  const certificates = keys.flatMap(({ key, beside }) => (!key && beside.found ? beside.found : []));
  const agentKeys = agent === undefined ? undefined : new AgentKeys(agent, { only, certificates });
  const methods: AnyAuthMethod[] = agentKeys ? [{ type: 'agent', username, agent: agentKeys }] : [];
  for (const { key, beside } of usable) {
    const { found } = beside;
    if (found) methods.push({ type: 'publickey', username, key: certifiedKey(key, found.certificate) });
    methods.push({ type: 'publickey', username, key });
  }
  const refused = (): string[] => {
    const shown = [...(agentKeys?.shown ?? []), ...usable.flatMap(({ beside }) => beside.found ?? [])];
    const without = certificates.filter((one) => !shown.includes(one));
    return [
      ...describeRefused(shown, username),
      ...without.map(({ place }) => notShown(place, 'the SSH agent does not hold its key')),
      ...keys.flatMap(({ beside }) => beside.problem ?? []),
    ];
  };
  return { methods, refused };
}

function readDefaultKey(file: string): FileKey[] {
  const content = readIfReadable(file);
  if (!content) return [];
  const key = readPrivateKey(content, undefined);
  if (key instanceof Error) return [{ beside: certificateBeside(file, publicPart(file)) }];
  return [{ key, beside: certificateBeside(file, key.getPublicSSH()) }];
}

function keyFileCredentials(address: SshAddress, keyFile: string, agent: string | undefined): Credentials {
  const { user, passphrase } = address;
  const content = readKeyFile(keyFile);
  if (/-cert-v01@openssh\.com/.test(content.toString('latin1', 0, 200))) throw certificateInsteadOfKey(keyFile);
  const secret = passphrase === undefined ? undefined : resolveSecret(`the passphrase of ${keyFile}`, passphrase);
  const key = readPrivateKey(content, secret);
  if (!(key instanceof Error)) {
    if (key.isPrivateKey()) {
      return toCredentials(user, [{ key, beside: certificateBeside(keyFile, key.getPublicSSH()) }]);
    }
    throw new HelixError('node.authentication', `the key file ${keyFile} holds a public key: name the private one`);
  }
  if (!/passphrase|encrypted|integrity check/i.test(key.message)) {
    throw new HelixError(
      'node.authentication',
      `the key file ${keyFile} holds no private key that can be read (${key.message})`,
    );
  }
  if (secret !== undefined) {
    throw new HelixError(
      'node.authentication',
      `the passphrase in ${passphrase} does not open the key file ${keyFile}`,
    );
  }
  if (agent) {
    const publicKey = publicPart(keyFile);
    const beside = certificateBeside(keyFile, publicKey);
    return toCredentials(user, [{ beside }], agent, publicKey ?? beside.found?.certificate.publicKey);
  }
  throw new HelixError(
    'node.authentication',
    `the key file ${keyFile} is protected by a passphrase: say where that is (env:VARIABLE or file:/path), load the key into an SSH agent ("ssh-add ${keyFile}"), or use a key without a passphrase`,
  );
}

function certificateInsteadOfKey(file: string): HelixError {
  const key = file.endsWith('-cert.pub') ? file.slice(0, -'-cert.pub'.length) : undefined;
  const advice = key
    ? `name the private key ${key}, and the certificate beside it is shown by itself`
    : 'name the private key; the certificate is shown by itself when it lies beside it and has the same name with -cert.pub at its end';
  return new HelixError('node.authentication', `${file} is an OpenSSH certificate and not a private key: ${advice}`);
}

/** A wrong passphrase is an error like any other. */
function readPrivateKey(content: Buffer, passphrase: string | undefined): ParsedKey | Error {
  try {
    const parsed = ssh2.utils.parseKey(content, passphrase);
    // A file of several keys in one is no OpenSSH key file.
    return Array.isArray(parsed) ? new Error('it holds several keys') : parsed;
  } catch (error) {
    return error as Error;
  }
}

/** The public key that lies beside a private one, so that the agent is asked for this key alone. */
function publicPart(keyFile: string): Buffer | undefined {
  const content = readIfReadable(`${keyFile}.pub`);
  const parsed = content && ssh2.utils.parseKey(content);
  return !parsed || parsed instanceof Error || Array.isArray(parsed) ? undefined : parsed.getPublicSSH();
}

function readKeyFile(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new HelixError('node.authentication', `the key file ${file} cannot be read (${(error as Error).message})`, {
      cause: error,
    });
  }
}

function readIfReadable(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}

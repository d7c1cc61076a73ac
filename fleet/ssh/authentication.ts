import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import ssh2, { type AnyAuthMethod, type ParsedKey } from 'ssh2';
import { resolveSecret } from '../../config/secret.ts';
import { HelixError } from '../../contracts/error.ts';
import type { SshAddress } from '../../contracts/node.ts';
import { AgentKeys } from './agent-keys.ts';

/**
 * What to try, in this order: the given key file alone, with the agent's help where it is encrypted and no passphrase is known; or else the
 * SSH agent, then the user's default keys.
 * Throws `node.authentication` when a key file cannot be used, or there is nothing to try.
 */
export function authenticationMethods(address: SshAddress): AnyAuthMethod[] {
  const { user: username, keyFile } = address;
  const agent = process.env.SSH_AUTH_SOCK;
  if (keyFile) return [keyFileMethod(address, keyFile, agent)];
  const methods: AnyAuthMethod[] = [];
  if (agent) methods.push({ type: 'agent', username, agent: new AgentKeys(agent) });
  for (const name of ['id_ed25519', 'id_ecdsa', 'id_rsa']) {
    const content = readIfReadable(join(homedir(), '.ssh', name));
    // An encrypted one is for the agent to hold.
    if (content && !(ssh2.utils.parseKey(content) instanceof Error)) {
      methods.push({ type: 'publickey', username, key: content });
    }
  }
  if (methods.length > 0) return methods;
  throw new HelixError(
    'node.authentication',
    'there is no key to log in with: no SSH agent is running and ~/.ssh has no usable default key; name a key file',
  );
}

/** What to say in addition when a server refuses the key. */
export function certificateHint({ keyFile }: SshAddress): string {
  const certificate = keyFile && `${keyFile.replace(/\.pub$/, '')}-cert.pub`;
  if (!certificate || !existsSync(certificate)) return '';
  return `; ${certificate} was not shown, because OpenSSH certificates are not supported`;
}

function keyFileMethod(address: SshAddress, keyFile: string, agent: string | undefined): AnyAuthMethod {
  const { user: username, passphrase } = address;
  const content = readKeyFile(keyFile);
  if (/-cert-v01@openssh\.com/.test(content.toString('latin1', 0, 200))) {
    throw new HelixError(
      'node.authentication',
      `${keyFile} is an OpenSSH certificate, and these are not supported: name the private key, and add its public key to ~/.ssh/authorized_keys there`,
    );
  }
  const secret = passphrase === undefined ? undefined : resolveSecret(`the passphrase of ${keyFile}`, passphrase);
  const key = readPrivateKey(content, secret);
  if (!(key instanceof Error)) {
    if (key.isPrivateKey())
      return { type: 'publickey', username, key: content, ...(secret ? { passphrase: secret } : {}) };
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
  if (agent) return { type: 'agent', username, agent: new AgentKeys(agent, publicPart(keyFile)) };
  throw new HelixError(
    'node.authentication',
    `the key file ${keyFile} is protected by a passphrase: say where that is (env:VARIABLE or file:/path), load the key into an SSH agent ("ssh-add ${keyFile}"), or use a key without a passphrase`,
  );
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

import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import ssh2, { type AnyAuthMethod } from 'ssh2';
import { HelixError } from '../../contracts/error.ts';
import type { SshTarget } from '../../contracts/node.ts';

/**
 * What to try, in this order: the given key file alone; or else the SSH agent, then the user's default keys.
 * Throws `node.authentication` when a key file cannot be used, or there is nothing to try.
 */
export function authenticationMethods({ user: username, keyFile }: SshTarget): AnyAuthMethod[] {
  if (keyFile) return [{ type: 'publickey', username, key: readKey(keyFile) }];
  const methods: AnyAuthMethod[] = [];
  const agent = process.env.SSH_AUTH_SOCK;
  if (agent) methods.push({ type: 'agent', username, agent });
  for (const name of ['id_ed25519', 'id_ecdsa', 'id_rsa']) {
    try {
      methods.push({ type: 'publickey', username, key: readKey(join(homedir(), '.ssh', name)) });
    } catch {
      // Not there, or for the agent to hold.
    }
  }
  if (methods.length > 0) return methods;
  throw new HelixError(
    'node.authentication',
    'there is no key to log in with: no SSH agent is running and ~/.ssh has no usable default key; name a key file',
  );
}

function readKey(file: string): Buffer {
  let content: Buffer;
  try {
    content = readFileSync(file);
  } catch (error) {
    throw new HelixError('node.authentication', `the key file ${file} cannot be read (${(error as Error).message})`, {
      cause: error,
    });
  }
  const parsed = ssh2.utils.parseKey(content);
  if (!(parsed instanceof Error)) return content;
  if (/passphrase|encrypted/i.test(parsed.message)) {
    throw new HelixError(
      'node.authentication',
      `the key file ${file} is protected by a passphrase: load it into an SSH agent ("ssh-add ${file}") and leave the key file out, or use a key without a passphrase`,
    );
  }
  throw new HelixError(
    'node.authentication',
    `the key file ${file} holds no private key that can be read (${parsed.message})`,
  );
}

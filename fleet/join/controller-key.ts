import { createHmac, randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { HelixError } from '../../contracts/error.ts';

const keyBytes = 32;

/** Of the controller's folder. All roles of a controller share it. */
export const controllerKeyFile = 'fleet-join.key';

/**
 * The key from which every secret of joining machines follows, made when it is first wanted. It is in this file alone: whoever reads the
 * database learns no secret. Throws `usage.invalid` when the file holds something else.
 */
export function loadControllerKey(file: string): Buffer {
  const text = read(file) ?? create(file);
  const key = Buffer.from(text.trim(), 'base64url');
  if (key.length === keyBytes) return key;
  throw new HelixError(
    'usage.invalid',
    `${file} does not hold the key of this controller: put it back from a backup, or remove it and join the machines anew`,
  );
}

/** As what a machine connects: with a token, or as the node that it has become. It is sent in the clear. */
export type JoinIdentity = { kind: 'token' | 'node'; id: string };

export function formatIdentity({ kind, id }: JoinIdentity): string {
  return `${kind}:${id}`;
}

export function parseIdentity(text: string): JoinIdentity | undefined {
  const [, kind, id] = /^(token|node):([0-9a-f-]{8,40})$/.exec(text) ?? [];
  return kind && id ? { kind: kind as JoinIdentity['kind'], id } : undefined;
}

/** The secret that belongs to an identity, of 32 bytes; without the key it cannot be found. */
export function secretOf(key: Buffer, identity: JoinIdentity): Buffer {
  return createHmac('sha256', key).update(formatIdentity(identity)).digest();
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Several processes may want it first: a link to what exists already fails, and then theirs is the key. */
function create(file: string): string {
  mkdirSync(dirname(file), { recursive: true });
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  writeFileSync(draft, `${randomBytes(keyBytes).toString('base64url')}\n`, { mode: 0o600, flag: 'wx', flush: true });
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  return readFileSync(file, 'utf8');
}

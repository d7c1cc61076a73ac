import { access } from 'node:fs/promises';
import { homedir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { HelixError } from '../../contracts/error.ts';
import { type HostKeyPolicy, type NodeRegistration, nodeRegistrationSchema } from '../../contracts/node.ts';

/** A host as a user or a file describes it, before what is left out is filled in. */
export interface Host {
  host: string;
  port?: number;
  user?: string;
  keyFile?: string;
  passphrase?: string;
  /** Of the host's key, `SHA256:...`. */
  fingerprint?: string;
  /** A known_hosts file for this host. */
  knownHosts?: string;
}

/** A machine that is to become a node. */
export interface Candidate extends Host {
  name: string;
  jumps?: Host[];
  root?: string;
  slots?: number;
  labels?: Record<string, string>;
}

/** How host keys are checked where the candidate does not say. */
export interface HostKeyOptions {
  knownHosts?: string;
  acceptNew?: boolean;
}

/** What the server is asked to register. Throws `usage.invalid` that names what is wrong. */
export async function toRegistration(candidate: Candidate, options: HostKeyOptions): Promise<NodeRegistration> {
  const { name, jumps = [], root, slots, labels = {} } = candidate;
  const ways = await Promise.all(jumps.map((jump) => toAddress(jump, options)));
  const { hostKey, ...ssh } = await toAddress(candidate, options);
  const parsed = nodeRegistrationSchema.safeParse({
    name,
    ssh: { ...ssh, ...(ways.length > 0 ? { jumps: ways } : {}), ...(root === undefined ? {} : { root }) },
    hostKey,
    labels,
    ...(slots === undefined ? {} : { slots }),
  });
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new HelixError('usage.invalid', issues.join('; '));
}

async function toAddress({ host, port = 22, user, keyFile, passphrase, ...trust }: Host, options: HostKeyOptions) {
  return {
    host,
    port,
    user: user ?? userInfo().username,
    ...(keyFile === undefined ? {} : { keyFile: await existingFile('the key file', keyFile) }),
    ...(passphrase === undefined ? {} : { passphrase }),
    hostKey: await hostKeyPolicy(trust, options),
  };
}

async function hostKeyPolicy(
  { fingerprint, knownHosts }: Pick<Host, 'fingerprint' | 'knownHosts'>,
  options: HostKeyOptions,
): Promise<HostKeyPolicy> {
  if (fingerprint !== undefined) return { kind: 'fingerprint', sha256: fingerprint };
  if (options.acceptNew) return { kind: 'accept-new' };
  const given = options.knownHosts ?? knownHosts;
  if (given !== undefined) return { kind: 'known-hosts', file: await existingFile('the known hosts file', given) };
  const file = join(homedir(), '.ssh', 'known_hosts');
  if (await isReadable(file)) return { kind: 'known-hosts', file };
  throw new HelixError(
    'usage.invalid',
    `there is no ${file} to check the host key by: give --fingerprint SHA256:..., --known-hosts FILE or --accept-new`,
  );
}

/** The server reads the file, from a working folder of its own: so the path becomes absolute. `what` begins the sentence that says that it cannot be read. */
export async function existingFile(what: string, file: string): Promise<string> {
  const path = resolve(file);
  if (await isReadable(path)) return path;
  throw new HelixError('usage.invalid', `${what} ${path} cannot be read`);
}

function isReadable(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/**
 * A path as a model gives it, relative to the workspace's root: without `.`, `..` and doubled slashes; `.` for the root itself.
 * Undefined when it leaves the workspace, is absolute or is no path at all.
 */
export function workspacePath(path: string): string | undefined {
  if (path.startsWith('/') || path.startsWith('~') || path.includes('\0')) return undefined;
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.length > 0 ? parts.join('/') : '.';
}

const secretFolders = /^(\.git|\.ssh|\.gnupg|\.aws|\.azure|\.kube|\.gcloud)$/;
const secretNames = new RegExp(
  `^(${[
    String.raw`\.env(rc|\..+)?`,
    String.raw`id_(rsa|dsa|ecdsa|ed25519)(_.*)?`,
    String.raw`.+\.(pem|key|p12|pfx|jks|keystore|kdbx|ppk|asc)`,
    String.raw`[._]netrc|\.npmrc|\.pypirc|\.htpasswd|\.pgpass|\.my\.cnf|\.git-credentials|\.vault-token`,
    String.raw`(credentials|client_secret.*|service-?account.*)\.json`,
    String.raw`secrets?\.(json|ya?ml|toml|env)`,
  ].join('|')})$`,
);
const publicNames = /(\.(example|sample|template|dist|defaults?)|\.pub)$/;

/** Whether a path is git's own or, by its name, holds secrets: keys, tokens, environments. */
export function isSensitivePath(path: string): boolean {
  const names = path.toLowerCase().split('/');
  const name = names.at(-1)!;
  // What a process was started with: keys among it.
  if (/^\/+proc\/.*\/(environ|mem|auxv)$/.test(path)) return true;
  return names.some((one) => secretFolders.test(one)) || (secretNames.test(name) && !publicNames.test(name));
}

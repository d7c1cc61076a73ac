import { join } from 'node:path';
import { HelixError } from '../contracts/error.ts';
import { gitReason, gitResult } from './git.ts';
import type { GitOptions, GitResult } from './git.ts';
import { shownLocation } from './location.ts';
import { objectIdPattern } from './objects.ts';
import { helixFolder, withScratchRepository } from './repository-files.ts';
import { refNotFoundError, snapshotOfCommit } from './source-commit.ts';
import type { ImportedSource } from '../contracts/snapshot.ts';
import type { ImportOptions } from './import-options.ts';
import type { SnapshotStore } from './store.ts';

/** Makes a snapshot of a commit fetched from a URL: of its default branch when no ref is given. */
export async function importRemote(
  store: SnapshotStore,
  url: string,
  ref: string | undefined,
  options: ImportOptions,
): Promise<ImportedSource> {
  // Refs and what a shallow fetch notes of itself go into a repository that is thrown away, the objects straight into the store.
  const commit = await withScratchRepository(helixFolder(store.dir), async (gitDir) => {
    const place = { ...networkOptions(options), gitDir, objectDir: join(store.dir, 'objects') };
    return fetchCommit(place, url, ref, await listRemote(place, url));
  });
  return { snapshot: await snapshotOfCommit(store, commit, url, options), commit, dirty: false };
}

function networkOptions(options: ImportOptions): GitOptions {
  const env: Record<string, string> = {
    GIT_ALLOW_PROTOCOL: 'http:https:ssh:git',
    // Never asks anything; an unknown host key fails.
    GIT_SSH_COMMAND: 'ssh -o BatchMode=yes -o ConnectTimeout=20',
  };
  const passed = ['HOME', 'SSH_AUTH_SOCK', 'GIT_SSH_COMMAND', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'GIT_SSL_CAINFO'].concat(
    ['http_proxy', 'https_proxy', 'no_proxy', 'all_proxy'].flatMap((name) => [name, name.toUpperCase()]),
  );
  for (const name of passed) if (process.env[name] !== undefined) env[name] = process.env[name];
  const config = { 'http.lowSpeedLimit': '1', 'http.lowSpeedTime': '60', 'fetch.fsckObjects': 'false' };
  return { env, config, signal: options.signal, ...(options.onProgress ? { onLine: options.onProgress } : {}) };
}

/** Object id by full ref name; `HEAD` is the default branch. */
async function listRemote(place: GitOptions, url: string): Promise<Map<string, string>> {
  const result = await gitResult(['ls-remote', url], place);
  if (result.exitCode !== 0) throw unreachable(url, result);
  const lines = result.stdout
    .toString()
    .split('\n')
    .filter((line) => line !== '');
  return new Map(lines.map((line) => [line.slice(41), line.slice(0, 40)]));
}

function unreachable(url: string, result: GitResult): HelixError {
  const reason = gitReason(result.stderr).replaceAll(url, shownLocation(url)) || `git ended with ${result.exitCode}`;
  return new HelixError(
    'source.unreachable',
    `${shownLocation(url)} could not be fetched: ${reason}. Check the address, the network and the access (an ssh key in the agent, or a netrc file)`,
  );
}

async function fetchCommit(
  place: GitOptions,
  url: string,
  ref: string | undefined,
  refs: Map<string, string>,
): Promise<string> {
  const names = ref === undefined ? ['HEAD'] : [`refs/heads/${ref}`, `refs/tags/${ref}`, ref];
  const name = names.find((one) => refs.has(one));
  const isObject = ref !== undefined && objectIdPattern.test(ref);
  if (name === undefined && !(ref !== undefined && /^[0-9a-f]{7,40}$/.test(ref))) throw notFound(url, ref, refs);
  let failure: GitResult | undefined;
  if (name !== undefined || isObject) {
    const wanted = `+${name ?? ref!}:refs/helix/fetched`;
    failure = await fetchInto(place, url, ['--depth=1', wanted]);
    // Old servers and plain file servers cannot send a part of the history.
    if (failure && name !== undefined) failure = await fetchInto(place, url, [wanted]);
    if (!failure) return (await commitOf(place, 'refs/helix/fetched')) ?? missing(notFound(url, ref, refs));
    if (name !== undefined) throw unreachable(url, failure);
  }
  // A commit that no branch points at: it is in the history of one, if anywhere.
  failure = await fetchInto(place, url, ['+refs/heads/*:refs/helix/all/heads/*', '+refs/tags/*:refs/helix/all/tags/*']);
  if (failure) throw unreachable(url, failure);
  return (await commitOf(place, ref!)) ?? missing(notFound(url, ref, refs));
}

async function fetchInto(place: GitOptions, url: string, args: string[]): Promise<GitResult | undefined> {
  const flags = ['--no-tags', '--no-write-fetch-head', '--no-recurse-submodules', '--progress'];
  const result = await gitResult(['fetch', ...flags, url, ...args], place);
  return result.exitCode === 0 ? undefined : result;
}

async function commitOf(place: GitOptions, name: string): Promise<string | undefined> {
  const result = await gitResult(['rev-parse', '--verify', '--quiet', `${name}^{commit}`], place);
  return result.exitCode === 0 ? result.stdout.toString().trim() : undefined;
}

function notFound(url: string, ref: string | undefined, refs: Map<string, string>): HelixError {
  const known = [...refs.keys()].filter((name) => /^refs\/(heads|tags)\//.test(name) && !name.endsWith('^{}'));
  return refNotFoundError(
    url,
    ref ?? 'HEAD',
    known.map((name) => name.replace(/^refs\/(heads|tags)\//, '')),
  );
}

function missing(error: HelixError): never {
  throw error;
}

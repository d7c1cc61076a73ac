import { createHash } from 'node:crypto';
import type { Command, Layer } from '../../contracts/step.ts';
import { compare } from './source-tree.ts';

/**
 * A layer whose key is taken over everything its installation reads: the parts by name (lock files, the fields of manifests that matter),
 * the command and its variables. The user's variables are given to the installation too, since registries and mirrors are set by them;
 * PATH stays the layer's own.
 */
export function makeLayer(options: {
  name: string;
  install: Command;
  paths: string[];
  env: Record<string, string>;
  userEnv: Record<string, string>;
  keyParts: ReadonlyMap<string, string>;
}): Layer {
  const env = { ...options.env, ...options.userEnv, ...(options.env['PATH'] ? { PATH: options.env['PATH'] } : {}) };
  const hash = createHash('sha256');
  const sortedEnv = Object.entries(env).sort(([a], [b]) => compare(a, b));
  const parts = [...options.keyParts].sort(([a], [b]) => compare(a, b));
  hash.update(JSON.stringify({ install: options.install, paths: options.paths, env: sortedEnv, parts }));
  return { name: options.name, key: hash.digest('hex'), install: options.install, paths: options.paths, env };
}

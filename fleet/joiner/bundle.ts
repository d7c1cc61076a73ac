import { join } from 'node:path';
import { bundleProgram } from '../agent/bundle.ts';
import type { NodeProgram } from '../node-program.ts';

/** `helix node join` as one file for Node 20 or later. */
export function bundleJoiner(cacheDir: string): Promise<NodeProgram> {
  return bundleProgram({ name: 'join', entry: join(import.meta.dirname, 'main.ts') }, cacheDir);
}

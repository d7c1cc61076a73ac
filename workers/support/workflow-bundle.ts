import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * The path of a workflow bundle that fits these sources and this SDK, made when there is none yet. It is made by another process:
 * one that has bundled keeps 200 MB for the rest of its life.
 */
export async function workflowBundle(cacheDir: string): Promise<string> {
  const path = join(cacheDir, `workflows-${await sourcesHash()}.js`);
  if (await exists(path)) return path;
  await mkdir(cacheDir, { recursive: true });
  const temporary = `${path}.${process.pid}`;
  await promisify(execFile)(process.execPath, [
    '--no-warnings',
    join(root, 'workers/support/build-workflow-bundle.ts'),
    temporary,
  ]);
  await rename(temporary, path);
  return path;
}

async function sourcesHash(): Promise<string> {
  const { version } = createRequire(import.meta.url)('@temporalio/worker/package.json') as { version: string };
  const hash = createHash('sha256').update(version);
  for (const folder of ['workflows', 'contracts']) {
    for (const name of (await readdir(join(root, folder))).sort())
      hash.update(name).update(await readFile(join(root, folder, name)));
  }
  return hash.digest('hex').slice(0, 16);
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cachePath, installOnce } from '../install.ts';

const run = promisify(execFile);
const installMs = 10 * 60_000;

const portkeyVersion = '1.15.2';

/** Installs litellm's proxy, the newest whose own needs can be met, into a virtualenv in the cache, once. Returns its program. Throws what the installation says. */
export async function installLitellm(): Promise<string> {
  const folder = cachePath('litellm');
  return await installOnce(folder, join(folder, 'bin', 'litellm'), async () => {
    await run('python3', ['-m', 'venv', folder]);
    await run(join(folder, 'bin', 'pip'), ['install', '--quiet', 'litellm[proxy]'], { timeout: installMs });
  });
}

/** Installs Portkey's gateway into the cache, once. Returns its script. Throws what the installation says. */
export async function installPortkey(): Promise<string> {
  const folder = cachePath(`portkey-${portkeyVersion}`);
  const script = join(folder, 'node_modules', '@portkey-ai', 'gateway', 'build', 'start-server.js');
  return await installOnce(folder, script, async () => {
    // With a later one every streamed call of it ends in "TypeError: immutable" (its issue 1389).
    const overrides = { '@hono/node-server': '1.14.1' };
    await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, overrides }));
    // Its script of installation patches a package that it needs for development alone.
    const options = ['--ignore-scripts', '--no-audit', '--no-fund'];
    await run('npm', ['install', ...options, `@portkey-ai/gateway@${portkeyVersion}`], {
      cwd: folder,
      timeout: installMs,
    });
  });
}

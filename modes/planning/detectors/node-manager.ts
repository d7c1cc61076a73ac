import { parse as parseYaml } from 'yaml';
import { joinPath } from '../source-tree.ts';
import type { SourceTree } from '../source-tree.ts';
import { isTable, parseJsonTable, stringAt, stringsAt, tableAt } from '../tables.ts';
import type { Table } from '../tables.ts';
import type { NodePackage } from './node-manifest.ts';
import { isCheckoutSetup } from './node-scripts.ts';
import { shellQuote } from './detector.ts';

/** A package manager as one root uses it. */
export interface NodeManager {
  name: 'npm' | 'pnpm' | 'yarn';
  /** Runs a script of the package in the current folder. */
  run: (script: string) => string;
  install: string;
  /** Files whose contents decide what is installed. */
  lockFiles: string[];
  env: Record<string, string>;
  /** Root-relative paths that the installation makes besides node_modules. */
  extraPaths: string[];
  notes: string[];
}

/** Where a root's own copy of pnpm or yarn is put: nodes need only npm, and scripts that call the manager find this one. */
const toolsFolder = '.helix-tools';

const ownLifecycle = ['preinstall', 'install', 'postinstall', 'prepublish', 'preprepare', 'prepare', 'postprepare'];

export async function readManager(tree: SourceTree, root: NodePackage, members: NodePackage[]): Promise<NodeManager> {
  const at = (name: string): string => joinPath(root.folder, name);
  const wanted = /^(npm|pnpm|yarn)@([^+]+)/.exec(stringAt(root.manifest, 'packageManager') ?? '');
  const lifecycle = [root, ...members].some((pack) => ownLifecycle.some((name) => pack.scripts[name] !== undefined));
  const choice = { tree, root, at, version: wanted?.[2], lifecycle };
  const name =
    wanted?.[1] ??
    (tree.isFile(at('pnpm-lock.yaml')) || tree.isFile(at('pnpm-workspace.yaml'))
      ? 'pnpm'
      : tree.isFile(at('yarn.lock'))
        ? 'yarn'
        : 'npm');
  const manager = name === 'pnpm' ? await pnpm(choice) : name === 'yarn' ? await yarn(choice) : await npm(choice);
  const after = root.scripts['postinstall'];
  // Only what changes the installation itself (patches, generated clients) is run; `prepare` is a build and has a task of its own.
  return after && lifecycle && !isCheckoutSetup(after)
    ? { ...manager, install: `${manager.install} && npm run postinstall` }
    : manager;
}

interface Choice {
  tree: SourceTree;
  root: NodePackage;
  at: (name: string) => string;
  version: string | undefined;
  /** The project has lifecycle scripts of its own. They are kept from running: a layer depends on manifests and lock files, not on sources. */
  lifecycle: boolean;
}

async function npm({ tree, at, lifecycle }: Choice): Promise<NodeManager> {
  const lock = ['npm-shrinkwrap.json', 'package-lock.json'].map(at).find((path) => tree.isFile(path));
  const quiet = '--no-audit --no-fund';
  const base = lock ? `npm ci ${quiet}` : `npm install ${quiet} --no-package-lock`;
  const rebuild = lock ? rebuildNamed(packagesWithScripts(await tree.text(lock))) : rebuildFound;
  return {
    name: 'npm',
    run: (script) => (script === 'test' ? 'npm test' : `npm run ${shellQuote(script)}`),
    install: lifecycle ? `${base} --ignore-scripts${rebuild}` : base,
    lockFiles: lock ? [lock] : [],
    env: {},
    extraPaths: [],
    notes: lock ? [] : [`${at('package.json')} has no lock file: what npm installs changes with the registry`],
  };
}

async function pnpm({ tree, root, at, version, lifecycle }: Choice): Promise<NodeManager> {
  const lock = tree.isFile(at('pnpm-lock.yaml')) ? at('pnpm-lock.yaml') : undefined;
  const lockText = lock ? ((await tree.text(lock)) ?? '') : '';
  const settings = parseYamlTable(await tree.text(at('pnpm-workspace.yaml')));
  const built = [
    ...stringsAt(settings, 'onlyBuiltDependencies'),
    ...stringsAt(tableAt(root.manifest, 'pnpm'), 'onlyBuiltDependencies'),
  ];
  const named = [...new Set([...built, ...requiringBuild(lockText)])].sort();
  const base = `pnpm install ${lock ? '--frozen-lockfile' : '--no-lockfile'}`;
  const rebuild = named.length > 0 ? ` && pnpm rebuild ${named.map(shellQuote).join(' ')}` : '';
  return {
    name: 'pnpm',
    run: (script) => (script === 'test' ? 'pnpm test' : `pnpm run ${shellQuote(script)}`),
    install: `${installTool(`pnpm@${version ?? pnpmFor(lockText)}`)} && ${base}${lifecycle ? ` --ignore-scripts${rebuild}` : ''}`,
    lockFiles: [lock, at('pnpm-workspace.yaml')].filter((path) => path !== undefined),
    env: {
      PATH: joinPath(root.folder, toolsFolder, 'node_modules/.bin'),
      npm_config_manage_package_manager_versions: 'false',
    },
    extraPaths: [toolsFolder],
    notes: lock ? [] : [`${at('package.json')} has no pnpm-lock.yaml: what pnpm installs changes with the registry`],
  };
}

async function yarn({ tree, root, at, version, lifecycle }: Choice): Promise<NodeManager> {
  const lock = tree.isFile(at('yarn.lock')) ? at('yarn.lock') : undefined;
  const lockText = lock ? ((await tree.text(lock)) ?? '') : '';
  const settings = parseYamlTable(await tree.text(at('.yarnrc.yml')));
  const classic = version ? version.startsWith('1.') : !lockText.includes('__metadata:') && !settings;
  // A release kept in the sources is started through classic yarn, which obeys yarnPath.
  const tool =
    classic || stringAt(settings, 'yarnPath')
      ? `yarn@${classic && version ? version : '1.22.22'}`
      : `@yarnpkg/cli-dist@${version ?? '4'}`;
  const base = classic
    ? `yarn install ${lock ? '--frozen-lockfile' : '--no-lockfile'}`
    : `yarn install${lock ? ' --immutable' : ''}`;
  return {
    name: 'yarn',
    run: (script) => (script === 'test' ? 'yarn test' : `yarn run ${shellQuote(script)}`),
    // Yarn 2 and later run no `prepare` on installation, so they need no guard.
    install: `${installTool(tool)} && ${base}${lifecycle && classic ? ` --ignore-scripts${rebuildFound}` : ''}`,
    lockFiles: [lock, at('.yarnrc.yml'), at('.yarnrc')].filter((path) => path !== undefined),
    env: {
      PATH: joinPath(root.folder, toolsFolder, 'node_modules/.bin'),
      // Plug'n'Play writes absolute and machine-wide paths; node_modules can be copied from slot to slot.
      ...(classic ? {} : { YARN_NODE_LINKER: 'node-modules', YARN_ENABLE_TELEMETRY: '0' }),
    },
    extraPaths: [toolsFolder],
    notes: lock ? [] : [`${at('package.json')} has no yarn.lock: what yarn installs changes with the registry`],
  };
}

function installTool(spec: string): string {
  return `npm install --no-audit --no-fund --no-package-lock --no-save --prefix ${toolsFolder} ${spec}`;
}

function pnpmFor(lock: string): string {
  const format = Number(/^lockfileVersion:\s*['"]?(\d+)/m.exec(lock)?.[1] ?? '9');
  return format >= 9 ? '9' : format >= 6 ? '8' : '7';
}

/** Runs the install scripts of installed dependencies, found by looking, where no lock file tells which have one. */
const rebuildFound =
  ` && names=$(grep -lE '"(pre|post)?install"[[:space:]]*:' node_modules/*/package.json node_modules/@*/*/package.json 2>/dev/null` +
  ` | sed 's|^node_modules/||; s|/package.json$||') && { [ -z "$names" ] || npm rebuild $names; }`;

function rebuildNamed(names: string[]): string {
  return names.length > 0 ? ` && npm rebuild ${names.map(shellQuote).join(' ')}` : '';
}

function packagesWithScripts(lock: string | undefined): string[] {
  const packages = Object.entries(tableAt(parseJsonTable(lock), 'packages') ?? {});
  const names = packages
    .filter(
      ([path, info]) =>
        path.includes('node_modules/') && isTable(info) && info['hasInstallScript'] === true && info['link'] !== true,
    )
    .map(([path]) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length));
  return [...new Set(names)].sort();
}

function requiringBuild(lock: string): string[] {
  const packages = Object.entries(tableAt(parseYamlTable(lock), 'packages') ?? {});
  return packages
    .filter(([, info]) => isTable(info) && info['requiresBuild'] === true)
    .map(([key]) => /^\/?((?:@[^/]+\/)?[^@/(]+)/.exec(key)?.[1])
    .filter((name) => name !== undefined);
}

export function parseYamlTable(text: string | undefined): Table | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = parseYaml(text);
    return isTable(value) ? value : {};
  } catch {
    return undefined;
  }
}

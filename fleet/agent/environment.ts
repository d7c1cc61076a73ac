import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { delimiter, isAbsolute, resolve } from 'node:path';
import type { Layer, StepSpec } from '../../contracts/step.ts';
import { host } from './platform/host.ts';
import { windowsPath } from './platform/login-windows.ts';
import { runProgram } from './run-program.ts';

export interface LoginEnvironment {
  /** PATH as the user's login shell sets it, then what else the agent was started with. */
  path: string;
  shell: string;
  user: string;
  home: string;
  /** What else steps get of it: see `passedOn`. */
  passed: Record<string, string>;
  /** Whether the login shell said all this, and not only the agent's own environment. */
  answered: boolean;
}

/**
 * Beside PATH and HOME: the locale, how this machine reaches the outside (proxies, certificates, package registries), and where its
 * toolchains are. Nothing else of the user's environment reaches a step.
 */
const passedOn = new RegExp(
  `^(${[
    'LANG|LC_[A-Z]+|TZ',
    '(HTTPS?|FTP|ALL|NO)_PROXY|(https?|ftp|all|no)_proxy|NODE_USE_ENV_PROXY',
    'NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR)|(REQUESTS|CURL)_CA_BUNDLE|GIT_SSL_CAINFO',
    '(npm_config|NPM_CONFIG)_(registry|REGISTRY|cafile|CAFILE|userconfig|USERCONFIG)|YARN_NPM_REGISTRY_SERVER',
    'PIP_(INDEX_URL|EXTRA_INDEX_URL|CERT|CONFIG_FILE)|UV_(INDEX_URL|DEFAULT_INDEX)',
    'GO(PROXY|PRIVATE|NOPROXY|SUMDB|NOSUMDB|FLAGS|TOOLCHAIN|PATH|ROOT|MODCACHE)',
    '(CARGO|RUSTUP|JAVA|GRADLE_USER)_HOME|RUSTUP_TOOLCHAIN|PYENV_ROOT|NVM_DIR',
    'MAVEN_(OPTS|ARGS)|GRADLE_OPTS',
  ].join('|')})$`,
);

const mark = '__helix_login_environment__';

/**
 * Asks the user's login shell for its environment, which is where version managers put their programs. What start-up files
 * print is cut away by the marks; a shell that hangs or refuses (nologin) leaves the agent's own PATH. On Windows there is no such shell:
 * the SSH server gives what the account has.
 */
export async function detectLoginEnvironment(timeoutMs = 8000): Promise<LoginEnvironment> {
  const user = userInfo();
  if (process.platform === 'win32') {
    const passed = { ...pick(process.env), ...host.variables() };
    const found = windowsPath(process.env.PATH ?? '', existsSync);
    return { ...found, user: user.username, home: user.homedir, passed, answered: true };
  }
  const shell = process.env.SHELL ?? user.shell ?? '/bin/sh';
  // A C shell takes no command as a login shell.
  const variables = (await askShell(shell, '-lc', timeoutMs)) ?? (await askShell(shell, '-c', timeoutMs));
  return {
    path: joinPaths(variables?.PATH, process.env.PATH) || '/usr/local/bin:/usr/bin:/bin',
    shell,
    user: user.username,
    home: process.env.HOME ?? user.homedir,
    passed: pick({ ...process.env, ...variables }),
    answered: variables !== undefined,
  };
}

function pick(variables: NodeJS.ProcessEnv): Record<string, string> {
  const passed = Object.entries(variables).filter(([name]) => passedOn.test(name));
  return Object.fromEntries(passed) as Record<string, string>;
}

/** Without the second, programs that only the shell knew which started the agent would be missing: many login files set PATH anew. */
function joinPaths(...paths: (string | undefined)[]): string {
  const entries = paths.flatMap((path) => path?.split(':') ?? []);
  return [...new Set(entries)].filter((entry) => isAbsolute(entry)).join(':');
}

/** Undefined when the shell does not answer; a daemon that start-up files leave behind holds nobody up. */
async function askShell(shell: string, option: string, timeoutMs: number): Promise<Record<string, string> | undefined> {
  const command = `echo ${mark}; env; echo ${mark}`;
  const here = { path: process.env.PATH ?? '', home: process.env.HOME ?? '/' };
  const { output } = await runProgram(shell, [option, command], here, timeoutMs, process.env);
  const between = output.split(`${mark}\n`)[1];
  if (between === undefined) return undefined;
  const pairs = between
    .split('\n')
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]);
  return Object.fromEntries(pairs.filter(([name]) => name)) as Record<string, string>;
}

/** The whole environment of a step's command: an allow-list, then the layers, then the step's own variables. */
export function stepEnvironment(
  login: LoginEnvironment,
  workspace: string,
  temporary: string,
  layers: Layer[],
  own: StepSpec['env'],
): Record<string, string> {
  const environment: Record<string, string> = {
    ...login.passed,
    PATH: login.path,
    HOME: login.home,
    USER: login.user,
    LOGNAME: login.user,
    SHELL: login.shell,
    ...Object.fromEntries(host.temporary.map((name) => [name, temporary])),
    CI: 'true',
  };
  for (const layer of layers) {
    const { PATH: path, ...others } = layer.env;
    Object.assign(environment, others);
    if (path) environment.PATH = `${absolutePath(path, workspace)}${delimiter}${environment.PATH}`;
  }
  return Object.assign(environment, own);
}

function absolutePath(path: string, workspace: string): string {
  const entries = path.split(':').filter((entry) => entry !== '');
  return entries.map((entry) => resolve(workspace, entry)).join(delimiter);
}

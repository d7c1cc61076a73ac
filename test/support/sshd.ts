import { randomBytes } from 'node:crypto';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { SshTarget } from '../../contracts/node.ts';

const run = promisify(execFile);

export interface SshdOptions {
  /** Where it listens; 127.0.0.1 when left out. */
  address?: string;
  /** A port that is known to be free there; a free one of this machine when left out. */
  port?: number;
  /** What runs the server, with its command behind it: in a network or a control group of its own. Has to become the server (exec). */
  within?: string[];
  /** PATH of the login shell on the machine; by default that of this process's Node and the system's folders. */
  path?: string;
  /** Text of the machine's ~/.bashrc, which bash reads for every command that sshd starts. */
  bashrc?: string;
  /** Further lines of sshd_config. */
  config?: string[];
  /** An account of its own with this login shell, instead of the one that runs the tests. Needs root. */
  loginShell?: string;
}

/** A real sshd on loopback that stands for a machine of its own: own host key, own home folder, one authorized key. */
export interface Sshd {
  target: SshTarget & { keyFile: string };
  /** Fingerprint of the present host key, `SHA256:...`. */
  hostKey(): Promise<string>;
  /** A known_hosts file with the present host key. */
  knownHosts(): Promise<string>;
  /** The machine's home folder. */
  home: string;
  /** Kills every connection's sshd process with KILL; the server stays. */
  killConnections(): void;
  /** Stops every sshd process (STOP), as a machine that has hung. */
  freeze(): void;
  /** Stops everything of the machine, agents and commands too. */
  freezeAll(): void;
  /** Wakes whatever is frozen. */
  thaw(): void;
  /** Ends everything of the machine at once, as a power failure does; `start` switches it on. */
  switchOff(): Promise<void>;
  /** Ends the server and its connections; `start` brings it back on the same port. */
  stop(): Promise<void>;
  start(options?: { newHostKey?: boolean }): Promise<void>;
  /** Processes of the machine that no sshd is an ancestor's name of: agents, watchdogs, commands. */
  processes(): { pid: number; command: string }[];
}

/** Runs `use` with a machine and takes it away afterwards. Fails when `use` left a process on it. */
export async function withSshd<T>(use: (sshd: Sshd) => Promise<T>, options: SshdOptions = {}): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'helix-sshd-'));
  const sshd = await prepare(dir, options);
  try {
    await sshd.start();
    const result = await use(sshd);
    await sshd.stop();
    await expectNoProcesses(sshd);
    return result;
  } finally {
    sshd.thaw();
    await sshd.stop();
    for (const { pid } of sshd.processes()) killQuietly(pid, 'SIGKILL');
    if (options.loginShell) await run('userdel', [sshd.target.user]);
    await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

/** The same with several. */
export async function withSshds<T>(options: SshdOptions[], use: (machines: Sshd[]) => Promise<T>): Promise<T> {
  const [first, ...others] = options;
  if (!first) return await use([]);
  return await withSshd(async (sshd) => withSshds(others, (rest) => use([sshd, ...rest])), first);
}

async function prepare(dir: string, options: SshdOptions): Promise<Sshd> {
  const home = join(dir, 'home');
  const file = (name: string): string => join(dir, name);
  await mkdir(home);
  const path = options.path ?? `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`;
  await writeFile(join(home, '.profile'), `PATH='${path}'\nexport PATH\n`);
  await writeFile(join(home, '.bashrc'), options.bashrc ?? '');
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file('user_key')]);
  // OpenSSH insists on it when it runs as root.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true });
  const address = options.address ?? '127.0.0.1';
  const port = options.port ?? (await freePort(address));
  const user = options.loginShell ? await addAccount(dir, home, options.loginShell) : userInfo().username;
  let server: ChildProcess | undefined;

  const newHostKey = async (): Promise<void> => {
    await rm(file('host_key'), { force: true });
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file('host_key')]);
  };
  await newHostKey();
  const config = [
    `Port ${port}`,
    `ListenAddress ${address}`,
    `HostKey ${file('host_key')}`,
    `AuthorizedKeysFile ${file('user_key.pub')}`,
    'PidFile none',
    'StrictModes no',
    'UsePAM no',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PrintMotd no',
    // After its own HOME and PATH, so that one account stands for several machines.
    `SetEnv HOME=${home} PATH=${path}`,
    ...(options.config ?? []),
  ];
  await writeFile(file('sshd_config'), `${config.join('\n')}\n`);

  const connections = (): number[] => (server?.pid === undefined ? [] : sshdBelow(server.pid));
  const all = (signal: NodeJS.Signals): void => {
    for (const pid of [...connections(), ...(server?.pid ? [server.pid] : [])]) killQuietly(pid, signal);
  };
  const stop = async (): Promise<void> => {
    if (!server) return;
    const ended = new Promise((resolve) => server!.once('exit', resolve));
    all('SIGKILL');
    if (server.exitCode === null && server.signalCode === null) await ended;
    server = undefined;
  };
  return {
    target: { host: address, port, user, keyFile: file('user_key') },
    home,
    hostKey: async () => (await run('ssh-keygen', ['-l', '-f', file('host_key.pub')])).stdout.split(' ')[1]!,
    knownHosts: async () => {
      const [type, key] = (await readFile(file('host_key.pub'), 'utf8')).split(' ');
      await writeFile(file('known_hosts'), `[${address}]:${port} ${type} ${key}\n`);
      return file('known_hosts');
    },
    killConnections: () => connections().forEach((pid) => killQuietly(pid, 'SIGKILL')),
    freeze: () => all('SIGSTOP'),
    freezeAll: () => {
      all('SIGSTOP');
      for (const { pid } of processesWithHome(home)) killQuietly(pid, 'SIGSTOP');
    },
    thaw: () => {
      all('SIGCONT');
      for (const { pid } of processesWithHome(home)) killQuietly(pid, 'SIGCONT');
    },
    switchOff: async () => {
      await stop();
      for (let left = processesWithHome(home); left.length > 0; left = processesWithHome(home))
        for (const { pid } of left) killQuietly(pid, 'SIGKILL');
    },
    stop,
    start: async (startOptions) => {
      if (startOptions?.newHostKey) await newHostKey();
      let output = '';
      const command = [...(options.within ?? []), '/usr/sbin/sshd', '-D', '-e', '-f', file('sshd_config')];
      server = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
      server.stderr!.on('data', (chunk: Buffer) => (output += chunk.toString()));
      await untilListening(address, port, () =>
        server?.exitCode == null ? undefined : `sshd did not start: ${output}`,
      );
    },
    processes: () => processesWithHome(home),
  };
}

/** Returns its name. It has no password, yet is not locked, or sshd would not let it in. The account can read the machine's folder and owns its home. */
async function addAccount(dir: string, home: string, shell: string): Promise<string> {
  const name = `hx${randomBytes(5).toString('hex')}`;
  await run('useradd', ['--no-create-home', '--home-dir', home, '--shell', shell, '--password', '*', name]);
  await chmod(dir, 0o755);
  await run('chown', ['-R', name, home]);
  return name;
}

/** A watchdog naps for four seconds between two looks, and goes when it finds its agent gone. */
const longestLeaving = 4_000 + 3_000;

async function expectNoProcesses(sshd: Sshd): Promise<void> {
  for (const deadline = Date.now() + longestLeaving; Date.now() < deadline; await sleep(50))
    if (sshd.processes().length === 0) return;
  const left = sshd.processes().map(({ pid, command }) => `${pid} ${command.slice(0, 200)}`);
  throw new Error(`processes were left on the machine:\n${left.join('\n')}`);
}

function sshdBelow(parent: number): number[] {
  const children = numericEntries().filter((pid) => parentOf(pid) === parent && /^sshd/.test(nameOf(pid)));
  return children.flatMap((pid) => [pid, ...sshdBelow(pid)]);
}

function processesWithHome(home: string): { pid: number; command: string }[] {
  return numericEntries().flatMap((pid) => {
    const environment = readQuietly(`/proc/${pid}/environ`).split('\0');
    if (!environment.includes(`HOME=${home}`)) return [];
    return [{ pid, command: readQuietly(`/proc/${pid}/cmdline`).replaceAll('\0', ' ') }];
  });
}

function numericEntries(): number[] {
  return existsSync('/proc') ? readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number) : []; // prettier-ignore
}

function parentOf(pid: number): number {
  const stat = readQuietly(`/proc/${pid}/stat`);
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

function nameOf(pid: number): string {
  return readQuietly(`/proc/${pid}/comm`);
}

function readQuietly(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

function killQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}

function freePort(address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, address, () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

async function untilListening(address: string, port: number, failure: () => string | undefined): Promise<void> {
  for (;;) {
    const problem = failure();
    if (problem) throw new Error(problem);
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, address);
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (open) return;
    await sleep(20);
  }
}

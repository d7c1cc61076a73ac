import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { root } from './stack.ts';
import { eventually } from './eventually.ts';

/** A machine with a home of its own on which `helix node join` is run. */
export interface JoiningMachine {
  home: string;
  /** Folder of the node. */
  root: string;
  /** Runs `helix node join` with these words and `--root`. */
  join(...words: string[]): Joiner;
  /** Everything that runs there, joiners too. */
  processes(): { pid: number; command: string }[];
}

export interface Joiner {
  process: ChildProcess;
  /** All that it has printed. */
  said(): string;
  untilItSays(pattern: RegExp): Promise<void>;
  /** Its exit code. */
  ended: Promise<number | null>;
}

/** Runs `use` with a machine, and ends everything there afterwards. Fails when `use` left a process on it. */
export async function withJoiningMachine<T>(use: (machine: JoiningMachine) => Promise<T>): Promise<T> {
  const home = await mkdtemp(join(tmpdir(), 'helix-joiner-'));
  const path = `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`;
  await writeFile(join(home, '.profile'), `PATH='${path}'\nexport PATH\n`);
  await mkdir(join(home, 'node'));
  const machine: JoiningMachine = {
    home,
    root: join(home, 'node'),
    processes: () => processesWithHome(home),
    join(...words) {
      const parameters = [
        '--no-warnings',
        join(root, 'cli', 'main.ts'),
        'node',
        'join',
        ...words,
        '--root',
        machine.root,
      ];
      const child = spawn(process.execPath, parameters, { env: { HOME: home, PATH: path }, stdio: ['ignore', 'pipe', 'pipe'] }); // prettier-ignore
      let output = '';
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (text) => (output += text));
      return {
        process: child,
        said: () => output,
        untilItSays: (pattern) => eventually(`it says ${pattern}, and not only\n${output}`, async () => pattern.test(output) || undefined).then(() => undefined), // prettier-ignore
        ended: once(child, 'close').then(([code]) => code as number | null),
      };
    },
  };
  try {
    const result = await use(machine);
    await eventually('nothing runs on the machine', async () => machine.processes().length === 0, 10_000);
    return result;
  } finally {
    for (const { pid } of machine.processes()) kill(pid);
    await rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

function processesWithHome(home: string): { pid: number; command: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      if (!read(`/proc/${pid}/environ`).split('\0').includes(`HOME=${home}`)) return [];
      return [{ pid: Number(pid), command: read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ') }];
    });
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

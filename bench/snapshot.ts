import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openStore } from '../snapshots/store.ts';
import { openWorkspace } from '../snapshots/workspace.ts';
import { compare } from './compare.ts';
import type { BenchRow } from './row.ts';

const files = 10_000;
const how = { rounds: 20, warmUps: 2 };

/** A snapshot of a repository of 10,000 files after one change, against `git status` on the same files after the same change. */
export async function benchSnapshot(): Promise<BenchRow[]> {
  const dir = await mkdtemp(join(tmpdir(), 'helix-bench-'));
  try {
    const [ours, peer] = [join(dir, 'ours'), join(dir, 'peer')];
    await Promise.all([fill(ours), fill(peer)]);
    await git(peer, 'init', '-q');
    await git(peer, 'add', '-A');
    await git(peer, '-c', 'user.name=bench', '-c', 'user.email=bench@localhost', 'commit', '-q', '-m', 'files');
    const workspace = await openWorkspace(await openStore(join(dir, 'store')), ours, { exclude: [] });
    await workspace.capture();

    let change = 0;
    const capture = async (): Promise<number> => {
      await writeFile(join(ours, pathOf(4321)), `changed ${change++}\n`);
      return timed(() => workspace.capture());
    };
    const status = async (): Promise<number> => {
      await writeFile(join(peer, pathOf(4321)), `changed ${change++}\n`);
      return timed(() => git(peer, 'status', '--porcelain'));
    };
    const name = `snapshot of ${files} files after one change`;
    return [
      await compare({ name: `${name}, against git status`, ours: capture, peer: status, target: '<= 3', ...how }),
      await compare({
        name: 'A/A: git status against git status',
        ours: status,
        peer: status,
        target: '1 (error bar)',
        ...how,
      }),
    ];
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function pathOf(index: number): string {
  return `package-${index % 20}/src/folder-${index % 500}/file-${index}.ts`;
}

async function fill(dir: string): Promise<void> {
  for (let index = 0; index < files; index++) {
    const file = join(dir, pathOf(index));
    if (index < 500) await mkdir(join(file, '..'), { recursive: true });
    await writeFile(file, `export const value${index} = ${index};\n`.repeat(20));
  }
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

async function git(cwd: string, ...args: string[]): Promise<void> {
  await promisify(execFile)('git', args, { cwd, maxBuffer: 1 << 28 });
}

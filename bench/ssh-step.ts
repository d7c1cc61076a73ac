import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { stepSpecSchema, type StepSpec } from '../contracts/step.ts';
import { openSshNode, type FleetNode } from '../fleet/node.ts';
import { openStore, type SnapshotStore } from '../snapshots/store.ts';
import { openWorkspace } from '../snapshots/workspace.ts';
import { withSshd, type Sshd } from '../test/support/sshd.ts';
import { withTempDir } from '../test/support/temp-dir.ts';
import { compare } from './compare.ts';
import type { BenchRow } from './row.ts';

const files = 1000;
// A checkout written within the last two seconds is looked at by git in any case.
const how = { rounds: 25, warmUps: 5, settle: () => delay(2500) };

/**
 * A warm step `true` on a project of 1,000 files (checkout in place, command, capture of the result, result in the controller's store)
 * against `ssh HOST true` over a ControlMaster to the same sshd. ABBA rounds; the ratio is the median of the rounds' ratios. The second
 * row is the peer against itself: how far from 1 it is says what the first is worth.
 */
export async function benchSshStep(): Promise<BenchRow[]> {
  return withTempDir(async (dir) => {
    const store = await openStore(join(dir, 'store'));
    const spec = await sampleStep(store, join(dir, 'source'));
    return withSshd(async (sshd) => {
      const hostKey = { kind: 'known-hosts' as const, file: await sshd.knownHosts() };
      const common = { cacheDir: join(dir, 'cache'), stores: async () => store };
      const node = await openSshNode({ name: 'bench', ssh: sshd.target, hostKey, ...common });
      const openSsh = await openMaster(sshd, join(dir, 'master'));
      try {
        return [
          await compare({
            name: 'warm SSH step against ssh with ControlMaster',
            ours: () => timeStep(node, spec),
            peer: openSsh.run,
            target: '<= 1.5x',
            ...how,
          }),
          await compare({
            name: 'ssh with ControlMaster against itself (A/A)',
            ours: openSsh.run,
            peer: openSsh.run,
            target: '1x',
            ...how,
          }),
        ];
      } finally {
        openSsh.close();
        await node.close();
      }
    });
  });
}

async function sampleStep(store: SnapshotStore, folder: string): Promise<StepSpec> {
  for (let i = 0; i < files; i += 1) {
    await mkdir(join(folder, `d${i % 20}`), { recursive: true });
    await writeFile(join(folder, `d${i % 20}`, `f${i}.txt`), `line of file ${i}\n`.repeat(40));
  }
  const snapshot = await (await openWorkspace(store, folder, { exclude: [] })).capture();
  return stepSpecSchema.parse({ project: 'bench', snapshot, command: { shell: 'true' }, class: 'any' });
}

let executions = 0;

/** Gives the milliseconds until the result was in the controller's store. The release comes later and holds up nobody: the slot is free by then. */
async function timeStep(node: FleetNode, spec: StepSpec): Promise<number> {
  const executionId = `bench-${process.pid}-${(executions += 1)}`;
  const signal = new AbortController().signal;
  const started = performance.now();
  const { exitCode } = await node.execute({ executionId, spec, logOffset: 0, onLog: () => {}, signal });
  const duration = performance.now() - started;
  if (exitCode !== 0) throw new Error(`the bench's step failed with exit code ${exitCode}`);
  await node.release(executionId);
  return duration;
}

async function openMaster(
  { target, knownHosts }: Sshd,
  socket: string,
): Promise<{ run(): Promise<number>; close(): void }> {
  const options = [
    'BatchMode=yes',
    'IdentitiesOnly=yes',
    `UserKnownHostsFile=${await knownHosts()}`,
    `ControlPath=${socket}`,
  ];
  const parameters = [
    '-F',
    'none',
    '-i',
    target.keyFile,
    '-p',
    String(target.port),
    ...options.flatMap((option) => ['-o', option]),
  ];
  const address = `${target.user}@${target.host}`;
  const master = spawn('ssh', ['-M', '-N', ...parameters, address], { stdio: 'ignore' });
  const run = (command: string[]): Promise<number | null> =>
    new Promise((resolve, reject) => {
      spawn('ssh', [...parameters, ...command], { stdio: 'ignore' })
        .once('error', reject)
        .once('exit', resolve);
    });
  for (let tries = 0; (await run(['-O', 'check', address])) !== 0; tries += 1) {
    if (tries > 50) throw new Error('ssh did not open its master connection');
    await delay(100);
  }
  return {
    run: async () => {
      const started = performance.now();
      const code = await run([address, 'true']);
      if (code !== 0) throw new Error(`ssh ended with exit code ${code}`);
      return performance.now() - started;
    },
    close: () => void master.kill(),
  };
}

import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { stepSpecSchema } from '../../contracts/step.ts';
import { openSshNode } from '../../fleet/node.ts';
import { openStore } from '../../snapshots/store.ts';
import { openWorkspace } from '../../snapshots/workspace.ts';
import { withSshd } from '../../test/support/sshd.ts';
import { withTempDir } from '../../test/support/temp-dir.ts';
import { compare } from '../compare.ts';
import type { BenchRow } from '../row.ts';
import { installPackage, writeSshConfig } from './peers.ts';

const run = promisify(execFile);
const files = 10_000;
const how = { rounds: 15, warmUps: 3, settle: () => delay(2500) };

/**
 * One file of 10,000 has changed and has to get to a machine that has the rest. Ours: the snapshot of the change, and a step on it, which sends what is missing and brings a
 * checkout there to it, until its command begins. The peer: rsync over a connection that is kept open (ControlMaster).
 */
export async function benchFleetOneFile(): Promise<BenchRow[]> {
  await installPackage('rsync');
  return await withTempDir(async (dir) => {
    const source = join(dir, 'source');
    for (let index = 0; index < files; index += 1) {
      const folder = join(source, `d${index % 100}`);
      if (index < 100) await mkdir(folder, { recursive: true });
      await writeFile(join(folder, `f${index}.txt`), `line of file ${index}\n`.repeat(40));
    }
    const store = await openStore(join(dir, 'store'));
    const workspace = await openWorkspace(store, source, { exclude: [] });
    return await withSshd(async (sshd) => {
      const node = await openSshNode({
        name: 'bench',
        ssh: sshd.target,
        hostKey: { kind: 'known-hosts', file: await sshd.knownHosts() },
        cacheDir: join(dir, 'cache'),
        stores: async () => store,
      });
      const config = await writeSshConfig(dir, [sshd]);
      const control = `ssh -F ${config} -o ControlMaster=auto -o ControlPersist=300 -o ControlPath=${join(dir, 'master')}`;
      let changes = 0;
      const change = () => writeFile(join(source, 'd7', 'f7.txt'), `change ${(changes += 1)}\n`.repeat(40));
      try {
        return [
          await compare({
            name: `one changed file of ${files} to a warm node, until a step begins there, against rsync`,
            async ours() {
              await change();
              const started = performance.timeOrigin + performance.now();
              const snapshot = await workspace.capture();
              const spec = stepSpecSchema.parse({
                project: 'bench',
                snapshot,
                command: { shell: 'date +%s%N' },
                class: 'any',
              });
              const executionId = `bench-${process.pid}-${changes}`;
              const signal = new AbortController().signal;
              let log = '';
              await node.execute({ executionId, spec, logOffset: 0, onLog: (chunk) => void (log += chunk), signal });
              await node.release(executionId);
              // The machine is this one, and so is its clock.
              return Number(log) / 1e6 - started;
            },
            async peer() {
              await change();
              const started = performance.now();
              await run('rsync', ['-a', '--delete', '-e', control, `${source}/`, `m1:${sshd.home}/mirror/`]);
              return performance.now() - started;
            },
            target: '<= 1.5x',
            ...how,
          }),
        ];
      } finally {
        await run('ssh', ['-F', config, '-o', `ControlPath=${join(dir, 'master')}`, '-O', 'exit', 'm1']).catch(
          () => {},
        );
        await node.close();
      }
    });
  });
}

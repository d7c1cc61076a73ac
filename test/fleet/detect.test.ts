import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import pino from 'pino';
import { type NodeFacts, nodeFactsSchema } from '../../contracts/node.ts';
import { detectFacts } from '../../fleet/agent/detect.ts';
import { detectGpus } from '../../fleet/agent/detect-gpus.ts';
import { readOsRelease } from '../../fleet/agent/detect-system.ts';
import { detectTools } from '../../fleet/agent/detect-tools.ts';
import { detectLoginEnvironment } from '../../fleet/agent/environment.ts';
import type { FleetNode } from '../../fleet/node.ts';
import { startRedetection } from '../../fleet/redetection.ts';
import { nodeRecord } from '../db/samples.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { eventually } from '../support/eventually.ts';

/** Runs `use` with a PATH of these programs, given as shell scripts. */
function withPrograms<T>(
  programs: Record<string, string>,
  use: (login: { path: string; home: string }, dir: string) => Promise<T>,
): Promise<T> {
  return withTempDir(async (dir) => {
    const folder = join(dir, 'programs');
    await mkdir(folder);
    for (const [name, script] of Object.entries(programs)) {
      await writeFile(join(folder, name), `#!/bin/sh\nPATH=/usr/bin:/bin\n${script}\n`);
      await chmod(join(folder, name), 0o755);
    }
    return use({ path: folder, home: dir }, dir);
  });
}

async function writeFiles(root: string, files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
}

/** How long `detectTools` takes for so many programs that answer at once, on a machine as busy as it is now. */
function timeWithoutHanging(count: number): Promise<number> {
  const names = twelveTools.slice(0, count);
  return withPrograms(Object.fromEntries(names.map((name) => [name, 'echo 1.0'])), async (login) => {
    const started = performance.now();
    assert.equal(Object.keys(await detectTools(login)).length, count);
    return performance.now() - started;
  });
}

const twelveTools = 'git node npm pnpm yarn bun deno go cargo rustc python java'.split(' ');
const linuxOnX64 = { platform: 'linux', arch: 'x64' } as const;

describe('detection', () => {
  it('describes this machine as its own tools do', async () => {
    const facts = nodeFactsSchema.parse(await detectFacts(await detectLoginEnvironment(), '/'));
    const say = (command: string): string => execFileSync('/bin/sh', ['-c', command], { encoding: 'utf8' }).trim();
    assert.equal(facts.kernel, say('uname -r'));
    assert.equal(facts.release?.name, say('. /etc/os-release; echo "$PRETTY_NAME"'));
    assert.equal(`${facts.libc?.name} ${facts.libc?.version}`, say('getconf GNU_LIBC_VERSION'));
    assert.equal(facts.tools.git, say('git --version').split(' ')[2]);
    assert.equal(facts.cpuModel, cpus()[0]!.model.trim());
    assert.ok(facts.memory <= totalmem());
    assert.equal(facts.diskTotal, Number(say('df -B1 --output=size /').split('\n')[1]));
    assert.ok(facts.diskFree > 0 && facts.diskFree < (facts.diskTotal ?? 0));
    assert.equal(facts.machine?.folder, say('stat -c %d:%i /'));
  });

  it('reads versions from whatever programs print, on either output', () =>
    withPrograms(
      {
        git: 'echo git version 2.39.5',
        java: 'echo \'openjdk version "17.0.15" 2025-04-15\' >&2',
        go: 'echo go version go1.26.8 linux/amd64',
        jq: 'echo jq-1.6',
        make: 'echo no numbers at all',
        tar: 'exit 3',
        docker: 'echo cannot connect >&2; exit 1',
      },
      async (login) =>
        assert.deepEqual(await detectTools(login), {
          git: '2.39.5',
          go: '1.26.8',
          java: '17.0.15',
          make: '',
          jq: '1.6',
          tar: '',
        }),
    ));

  it('is not held up by programs that hang, nor by what they leave behind', () =>
    withPrograms(
      {
        git: 'echo git version 2.39.5',
        make: 'sleep 60.4711',
        // Its child keeps the output open for longer than anybody waits.
        cmake: 'sleep 61.4711 & echo cmake version 3.25.1',
        ninja: "trap '' TERM; while :; do sleep 62.4711; done",
      },
      async (login) => {
        const unhindered = await timeWithoutHanging(4);
        const started = performance.now();
        const tools = await detectTools(login, { ninja: '1.11.1' }, 1_000);
        assert.ok(performance.now() - started < 3_000 + unhindered);
        assert.deepEqual(tools, { git: '2.39.5', make: '', cmake: '3.25.1', ninja: '1.11.1' });
        const left = () =>
          execFileSync('/bin/sh', ['-c', 'pgrep -x -f "sleep 6[012]\\.4711" || true'], { encoding: 'utf8' });
        await eventually('the end of what hung', () => left() === '');
      },
    ));

  it('asks many slow programs within one deadline', () =>
    withPrograms(Object.fromEntries(twelveTools.map((name) => [name, 'sleep 63'])), async (login) => {
      const unhindered = await timeWithoutHanging(12);
      const started = performance.now();
      assert.equal(Object.keys(await detectTools(login, {}, 600)).length, 12);
      assert.ok(performance.now() - started < 2_000 + unhindered);
    }));

  it('finds NVIDIA GPUs by their tool, and by their driver where there is no tool', () =>
    withPrograms(
      { 'nvidia-smi': 'echo "NVIDIA A100-SXM4-40GB, 40960"; echo "NVIDIA GB10, [N/A]"' },
      async (login, dir) => {
        assert.deepEqual(await detectGpus(login, linuxOnX64, dir), [
          { vendor: 'nvidia', name: 'NVIDIA A100-SXM4-40GB', memory: 40 * 2 ** 30 },
          { vendor: 'nvidia', name: 'NVIDIA GB10' },
        ]);
        const without = { ...login, path: '' };
        assert.deepEqual(await detectGpus(without, linuxOnX64, dir), []);
        const information = 'Model: \t\t Tesla T4\nIRQ:   \t\t 50\n';
        await writeFiles(dir, { 'proc/driver/nvidia/gpus/0000:00:1e.0/information': information });
        assert.deepEqual(await detectGpus(without, linuxOnX64, dir), [{ vendor: 'nvidia', name: 'Tesla T4' }]);
      },
    ));

  it('takes no broken NVIDIA driver for a GPU', () =>
    withPrograms({ 'nvidia-smi': 'echo "NVIDIA-SMI has failed, 12"; exit 9' }, async (login, dir) =>
      assert.deepEqual(await detectGpus(login, linuxOnX64, dir), []),
    ));

  it('finds AMD GPUs that can compute, and no other graphics', () =>
    withPrograms({}, async (login, dir) => {
      const card = (number: number, file: string) => `sys/class/drm/card${number}/device/${file}`;
      await writeFiles(dir, {
        [card(0, 'vendor')]: '0x1a03\n',
        [card(1, 'vendor')]: '0x1002\n',
        [card(1, 'product_name')]: 'Instinct MI210\n',
        [card(1, 'mem_info_vram_total')]: '68702699520\n',
        'sys/class/drm/card1-DP-1/device/vendor': '0x1002\n',
      });
      assert.deepEqual(await detectGpus(login, linuxOnX64, dir), []);
      await writeFiles(dir, { 'dev/kfd': '' });
      assert.deepEqual(await detectGpus(login, linuxOnX64, dir), [
        { vendor: 'amd', name: 'Instinct MI210', memory: 68_702_699_520 },
      ]);
    }));

  it('knows that a Mac of its own kind has a GPU', async () => {
    const [gpu] = await detectGpus({ path: '', home: '/' }, { platform: 'darwin', arch: 'arm64' });
    assert.deepEqual([gpu?.vendor, gpu?.memory], ['apple', totalmem()]);
  });

  it('is repeated on a schedule, and a node that cannot be looked at keeps what it had', async () => {
    const before = nodeRecord('quick');
    const records = new Map([before, nodeRecord('silent')].map((record) => [record.name, record]));
    const after = { ...before.facts, tools: { ...before.facts.tools, go: '1.26.8' } };
    const probes: Record<string, () => Promise<NodeFacts>> = {
      quick: () => Promise.resolve(after),
      silent: () => Promise.reject(new Error('no answer')),
    };
    const nodes = new Map(Object.entries(probes).map(([name, probe]) => [name, { probe } as FleetNode]));
    const saved: string[] = [];
    const redetection = startRedetection({
      roster: {
        records: () => [...records.values()],
        record: (name) => records.get(name),
        get: (name) => nodes.get(name),
        refresh: (record) => void records.set(record.name, record),
      },
      everyMs: 20,
      save: async ({ name }) => saved.push(name),
      logger: pino({ level: 'silent' }),
    });
    await setTimeout(200);
    redetection.stop();
    const count = saved.length;
    assert.ok(count >= 3);
    assert.deepEqual(new Set(saved), new Set(['quick']));
    assert.deepEqual(records.get('quick')?.facts, after);
    assert.deepEqual(records.get('silent')?.facts, nodeRecord('silent').facts);
    await setTimeout(60);
    await redetection.detect('quick');
    assert.equal(saved.length, count);
  });

  it('reads os-release files with and without quotes', () => {
    const alpine = 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.21.0\nPRETTY_NAME="Alpine Linux v3.21"\n';
    assert.deepEqual(readOsRelease(alpine), { id: 'alpine', version: '3.21.0', name: 'Alpine Linux v3.21' });
    assert.deepEqual(readOsRelease("ID='arch'\n# a comment\n"), { id: 'arch', version: '', name: 'arch' });
    assert.equal(readOsRelease('nothing here'), undefined);
  });
});

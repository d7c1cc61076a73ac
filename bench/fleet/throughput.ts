import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { withTempDir } from '../../test/support/temp-dir.ts';
import { median } from '../compare.ts';
import type { BenchRow } from '../row.ts';
import { prepareSteps } from '../../test/support/steps-of-a-job.ts';
import { benchClass, type FleetController, slotsPerNode, withFleetController } from './controller.ts';
import { installAnsible, installPackage, writeSshConfig } from './peers.ts';

const run = promisify(execFile);

const nodes = 100;
const stepsPerNode = 20;
const steps = nodes * stepsPerNode;
const slots = nodes * slotsPerNode;
/** A peer that takes longer is ended, and the bench with it. */
const peerMs = 10 * 60_000;
/** A backlog of one job would be held up by its own workflow; people have several. */
const jobs = 8;
const rounds = 3;

/**
 * 20 steps `true` for each of 100 machines, two at a time, through Temporal; against what else runs commands on many machines, and against a
 * workflow whose activities do nothing, on the same server. Rounds in turn; the ratio is the median of the rounds' ratios.
 */
export async function benchFleetThroughput(): Promise<BenchRow[]> {
  for (const name of ['parallel', 'pdsh']) await installPackage(name);
  const ansible = await installAnsible();
  return await withFleetController(nodes, async (fleet) => {
    await fleet.addMachines(0, nodes);
    return await withTempDir(async (dir) => {
      const config = await writeSshConfig(dir, fleet.machines);
      const names = fleet.machines.map((_, index) => `m${index + 1}`);
      const ours = await prepareOurs(fleet);
      const bare = await prepareBare(fleet);
      const sides: Record<string, { run: () => Promise<unknown>; rounds: number; target: string }> = {
        'a workflow whose activities do nothing': { run: bare.run, rounds, target: '<= 1.25x' },
        'GNU parallel': { run: await prepareParallel(dir, config, names), rounds, target: '<= 1x' },
        pdsh: { run: () => runPdsh(config, names), rounds, target: '-' },
        ansible: { run: await prepareAnsible(dir, ansible, config, names), rounds: 1, target: '<= 0.33x' },
      };
      try {
        await ours('warm');
        const times = new Map<string, { ours: number; peer: number }[]>();
        for (let round = 0; round < rounds; round += 1) {
          for (const [name, side] of Object.entries(sides)) {
            if (round >= side.rounds) continue;
            const pair = { ours: await time(() => ours(`${name}-${round}`)), peer: await time(side.run) };
            console.error(`  ${name}: ${pair.ours.toFixed(1)} s, ${pair.peer.toFixed(1)} s`);
            times.set(name, [...(times.get(name) ?? []), pair]);
          }
        }
        return [...times].map(([name, pairs]) => ({
          name: `${steps} steps on ${nodes} nodes against ${name}`,
          ours: median(pairs.map((pair) => pair.ours)),
          peer: median(pairs.map((pair) => pair.peer)),
          unit: 's',
          ratio: median(pairs.map((pair) => pair.ours / pair.peer)),
          target: sides[name]!.target,
        }));
      } finally {
        bare.stop();
      }
    });
  });
}

async function time(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

async function prepareOurs(fleet: FleetController): Promise<(round: string) => Promise<unknown>> {
  const commands = Array.from({ length: steps / jobs }, () => 'true');
  const job = await prepareSteps(fleet, { commands, class: benchClass });
  return (round) =>
    Promise.all(Array.from({ length: jobs }, (_, index) => job.run(`${round.replaceAll(' ', '-')}-${index}`)));
}

async function prepareBare({
  client,
  temporalAddress,
}: FleetController): Promise<{ run(): Promise<unknown>; stop(): void }> {
  const worker = spawn(
    process.execPath,
    ['--no-warnings', fileURLToPath(new URL('../bare/worker.ts', import.meta.url)), temporalAddress, 'nothing'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await once(worker.stdout, 'data');
  let times = 0;
  return {
    run: () =>
      Promise.all(
        Array.from({ length: jobs }, () =>
          client.workflow.execute('runNothing', {
            workflowId: `nothing-${(times += 1)}`,
            taskQueue: 'nothing',
            args: [steps / jobs, slots / jobs],
          }),
        ),
      ),
    stop: () => void worker.kill(),
  };
}

/** With a connection for each command: told to share them (--controlmaster), two hundred at once bring two processors to a standstill. */
async function prepareParallel(dir: string, config: string, names: string[]): Promise<() => Promise<unknown>> {
  const logins = join(dir, 'logins');
  await writeFile(logins, `${names.map((name) => `${slotsPerNode}/${name}`).join('\n')}\n`);
  const input = join(dir, 'commands');
  await writeFile(input, 'true\n'.repeat(steps));
  const args = ['--will-cite', '--ssh', `ssh -F ${config}`, '--sshloginfile', logins, '-a', input];
  return () => run('parallel', args, { maxBuffer: 1 << 28, timeout: peerMs });
}

/** Each command once on all machines, then the next: it has no queue. */
async function runPdsh(config: string, names: string[]): Promise<void> {
  const env = { ...process.env, PDSH_SSH_ARGS_APPEND: `-F ${config}` };
  for (let step = 0; step < stepsPerNode; step += 1)
    await run('pdsh', ['-R', 'ssh', '-f', String(slots), '-w', names.join(','), 'true'], { env, timeout: peerMs });
}

async function prepareAnsible(
  dir: string,
  programs: string,
  config: string,
  names: string[],
): Promise<() => Promise<unknown>> {
  await writeFile(join(dir, 'hosts'), `${names.join('\n')}\n`);
  const tasks = Array.from({ length: stepsPerNode }, () => ({ raw: 'true' }));
  await writeFile(
    join(dir, 'play.yml'),
    JSON.stringify([{ hosts: 'all', gather_facts: false, strategy: 'free', tasks }]),
  );
  const env = {
    ...process.env,
    ANSIBLE_SSH_ARGS: `-F ${config} -o ControlMaster=auto -o ControlPersist=60s`,
    ANSIBLE_PIPELINING: '1',
    ANSIBLE_HOST_KEY_CHECKING: '0',
  };
  const args = ['-i', join(dir, 'hosts'), '--forks', String(nodes), join(dir, 'play.yml')];
  return () => run(join(programs, 'ansible-playbook'), args, { env, maxBuffer: 1 << 28, timeout: peerMs });
}

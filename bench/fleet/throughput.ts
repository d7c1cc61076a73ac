import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { withTempDir } from '../../test/support/temp-dir.ts';
import { median } from '../compare.ts';
import { cpuSeconds } from '../processes.ts';
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
const nothing = 'a workflow whose activities do nothing';
const onlySsh = 'a workflow whose activities run them over open SSH connections and keep nothing';

/**
 * 20 steps `true` for each of 100 machines, two at a time, through Temporal; against what else runs commands on many machines, and against a
 * workflow whose activities do nothing, on the same server. The ratio is the median of the rounds' ratios; those who take minutes have one round.
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
        [nothing]: { run: bare.runNothing, rounds, target: '<= 1.25x' },
        [onlySsh]: { run: bare.runRemote, rounds, target: '-' },
        'GNU parallel': { run: await prepareParallel(dir, config, names), rounds: 1, target: '<= 1x' },
        pdsh: { run: () => runPdsh(config, names), rounds: 1, target: '-' },
        ansible: { run: await prepareAnsible(dir, ansible, config, names), rounds: 1, target: '<= 0.33x' },
      };
      try {
        await ours('warm');
        await bare.runRemote();
        const times = new Map<string, Pair[]>();
        const processor: Pair[] = [];
        for (let round = 0; round < rounds; round += 1) {
          for (const [name, side] of Object.entries(sides)) {
            if (round >= side.rounds) continue;
            const work: Pair = { ours: 0, peer: 0 };
            const count = async (who: keyof Pair, pids: number[], run: () => Promise<unknown>): Promise<number> => {
              const before = await cpuSeconds(pids);
              const took = await time(run);
              work[who] = (await cpuSeconds(pids)) - before;
              return took;
            };
            const pair = {
              ours: await count('ours', fleet.pids.all, () => ours(`${name}-${round}`)),
              peer: await count('peer', [fleet.pids.temporal, bare.pid], side.run),
            };
            if (name === nothing) processor.push(work);
            console.error(`  ${name}: ${pair.ours.toFixed(1)} s, ${pair.peer.toFixed(1)} s`);
            times.set(name, [...(times.get(name) ?? []), pair]);
          }
        }
        const rows = [...times].map(([name, pairs]) =>
          rowOf(`${steps} steps on ${nodes} nodes against ${name}`, 's', pairs, sides[name]!.target),
        );
        // The machines of this bench share the controller's processors; in a fleet they have their own.
        const perStep = processor.map((pair) => ({
          ours: (pair.ours / steps) * 1000,
          peer: (pair.peer / steps) * 1000,
        }));
        return [
          ...rows,
          rowOf(`processor time of the controller for each step against ${nothing}`, 'ms', perStep, '<= 1.25x'),
        ];
      } finally {
        bare.stop();
      }
    });
  });
}

interface Pair {
  ours: number;
  peer: number;
}

function rowOf(name: string, unit: string, pairs: readonly Pair[], target: string): BenchRow {
  return {
    name,
    ours: median(pairs.map((pair) => pair.ours)),
    peer: median(pairs.map((pair) => pair.peer)),
    unit,
    ratio: median(pairs.map((pair) => pair.ours / pair.peer)),
    target,
  };
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

async function prepareBare({ client, temporalAddress, machines }: FleetController): Promise<{
  pid: number;
  runNothing(): Promise<unknown>;
  runRemote(): Promise<unknown>;
  stop(): void;
}> {
  const worker = spawn(
    process.execPath,
    ['--no-warnings', fileURLToPath(new URL('../bare/worker.ts', import.meta.url)), temporalAddress, 'nothing'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await once(worker.stdout, 'data');
  let times = 0;
  const inJobs = (workflow: string, args: (job: number) => unknown[]): Promise<unknown> =>
    Promise.all(
      Array.from({ length: jobs }, (_, job) =>
        client.workflow.execute(workflow, {
          workflowId: `bare-${(times += 1)}`,
          taskQueue: 'nothing',
          args: args(job),
        }),
      ),
    );
  const targets = machines.map(({ target }) => target);
  return {
    pid: worker.pid!,
    runNothing: () => inJobs('runNothing', () => [steps / jobs, slots / jobs]),
    // Each job has machines of its own.
    runRemote: () =>
      inJobs('runRemote', (job) => [
        steps / jobs,
        slotsPerNode,
        'true',
        targets.filter((_, index) => index % jobs === job),
      ]),
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
  const tasks = Array.from({ length: stepsPerNode }, () => ({ command: '/bin/true' }));
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

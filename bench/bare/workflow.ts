import { proxyActivities } from '@temporalio/workflow';
import type { SshTarget } from '../../contracts/node.ts';
import type * as activities from './activities.ts';

const { runCommand, doNothing, runRemotely } = proxyActivities<typeof activities>({
  startToCloseTimeout: '10m',
  heartbeatTimeout: '12s',
});

/** What one would write without HelixCode: `count` commands, `atOnce` at a time. */
export async function runCommands(count: number, atOnce: number, command: string): Promise<void> {
  await inLanes(count, atOnce, () => runCommand(command));
}

/** `count` activities that do nothing. */
export async function runNothing(count: number, atOnce: number): Promise<void> {
  await inLanes(count, atOnce, doNothing);
}

/** `count` commands, `atOnce` at a time on each machine. */
export async function runRemote(count: number, atOnce: number, command: string, targets: SshTarget[]): Promise<void> {
  const runOn = (lane: number): Promise<number> => runRemotely(targets[lane % targets.length]!, command);
  await inLanes(count, atOnce * targets.length, runOn);
}

async function inLanes(count: number, atOnce: number, run: (lane: number) => Promise<unknown>): Promise<void> {
  let started = 0;
  const lane = async (_: unknown, index: number): Promise<void> => {
    while (started < count) {
      started += 1;
      await run(index);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}

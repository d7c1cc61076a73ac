import { proxyActivities } from '@temporalio/workflow';
import type * as activities from './activities.ts';

const { runCommand, doNothing } = proxyActivities<typeof activities>({
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

async function inLanes(count: number, atOnce: number, run: () => Promise<unknown>): Promise<void> {
  let started = 0;
  const lane = async (): Promise<void> => {
    while (started < count) {
      started += 1;
      await run();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}

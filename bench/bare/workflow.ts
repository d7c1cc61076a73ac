import { proxyActivities } from '@temporalio/workflow';
import type * as activities from './activities.ts';

const { runCommand } = proxyActivities<typeof activities>({ startToCloseTimeout: '10m', heartbeatTimeout: '12s' });

/** What one would write without HelixCode: `count` commands, `atOnce` at a time. */
export async function runCommands(count: number, atOnce: number, command: string): Promise<void> {
  let started = 0;
  const lane = async (): Promise<void> => {
    while (started < count) {
      started += 1;
      await runCommand(command);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}

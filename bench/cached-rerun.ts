import { join } from 'node:path';
import { sampleRecipe } from '../cli/commands/start.ts';
import type { JobResult } from '../contracts/job.ts';
import { prepareSample } from '../examples/prepare-sample.ts';
import { startStack } from '../test/support/stack.ts';
import { median } from './compare.ts';
import type { BenchRow } from './row.ts';

/** The sample's job, as `npm start` runs it, again and again: from the second on every step is in the cache. */
export async function benchCachedRerun(): Promise<BenchRow[]> {
  const stack = await startStack();
  try {
    const repository = await prepareSample(join(stack.home, 'bench-sample'));
    const run = async (): Promise<JobResult> => {
      const { code, result, stderr } = await stack.run(['--repo', repository, '--recipe', sampleRecipe]);
      if (code !== 0) throw new Error(`the sample failed: ${JSON.stringify(result.reason)}\n${stderr}`);
      return result;
    };
    const first = (await run()).durationMs;
    const reruns: number[] = [];
    for (let round = 0; round < 11; round += 1) {
      const { durationMs, steps } = await run();
      if (steps.run > 0) throw new Error(`${steps.run} steps of a rerun were not in the cache`);
      reruns.push(durationMs);
    }
    const cached = median(reruns);
    return [
      {
        name: 'sample: fully cached rerun against first run',
        ours: cached,
        peer: first,
        unit: 'ms',
        ratio: first / cached,
        target: '>= 20x faster',
      },
    ];
  } finally {
    await stack.down();
  }
}

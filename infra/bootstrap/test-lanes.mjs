import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/** Tests that wait for whole stacks more than they compute; they take the longest, and run in two lanes beside all the others. */
const slowest = 'test/e2e';

/** The arguments of each mocha: one for what somebody names, three at once for everything. */
export function lanesOf(args, { spec, ...settings }, root) {
  const common = ['--no-config', ...Object.entries(settings).flatMap(([key, value]) => [`--${key}`, String(value)])];
  if (args.some((arg) => arg.includes('.test.ts'))) return [[...common, ...args]];
  const names = readdirSync(join(root, slowest)).sort();
  const files = names.filter((name) => name.endsWith('.test.ts')).map((name) => `${slowest}/${name}`);
  const everySecond = (from) => files.filter((_, index) => index % 2 === from);
  return [
    [...common, ...args, ...everySecond(0)],
    [...common, ...args, ...everySecond(1)],
    [...common, ...args, '--ignore', `${slowest}/**`, spec],
  ];
}

/**
 * Runs each lane's mocha and prints at the end what failed in any of them, and as the last line how many tests passed and failed in all; a lane that did not get as far
 * as counting is one failure. The first lane's output is shown as it comes, that of the others when they have ended. Returns the exit code.
 */
export async function runLanes(lanes) {
  const results = await Promise.all(lanes.map((lane, index) => runLane(lane, index === 0)));
  if (lanes.length === 1 && results[0].counted) return results[0].code;
  const sum = (pick) => results.reduce((total, result) => total + pick(result), 0);
  const skipped = sum((result) => result.skipped);
  if (lanes.length > 1) for (const { failures } of results) process.stdout.write(failures);
  const counts = [`${sum((result) => result.passed)} passed`, `${sum((result) => result.failed)} failed`];
  process.stdout.write(`${[...counts, ...(skipped > 0 ? [`${skipped} skipped`] : [])].join(', ')}\n`);
  return results.find(({ code }) => code !== 0)?.code ?? 0;
}

async function runLane({ start, exitCode }, isShown) {
  const child = start();
  const chunks = [];
  child.stdout.on('data', (chunk) => {
    if (isShown) process.stdout.write(chunk);
    chunks.push(chunk);
  });
  const code = await exitCode(child);
  const output = Buffer.concat(chunks);
  if (!isShown) process.stdout.write(output);
  const text = stripVTControlCharacters(output.toString());
  const last = text.trimEnd().split('\n').at(-1);
  const counted = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/.exec(last);
  if (!counted) {
    const failures = `\n  A lane of tests ended with ${code} before it had counted; its last lines:\n\n${text.slice(-2000)}\n`;
    return { code: code || 1, counted: false, passed: 0, failed: 1, skipped: 0, failures };
  }
  const [passed, failed, skipped] = counted.slice(1).map((count) => Number(count ?? 0));
  // Mocha's own list of them: it starts with their number, and the reporter's lists follow.
  const failures = /\n {2}\d+ failing\n[^]*?(?=\n(?:Skipped|Slowest):\n|$)/.exec(text)?.[0] ?? '';
  return { code, counted: true, passed, failed, skipped, failures };
}

import { type Command, Option } from 'commander';
import { HelixError } from '../../contracts/error.ts';
import { type UsageGroup, usageGroupSchema, type UsageReport, type UsageTotal } from '../../contracts/usage.ts';
import { connect, type GlobalOptions } from '../connect.ts';
import { printJson } from '../output.ts';
import { cleanLine } from '../text/clean.ts';
import { formatCacheHits, formatCost } from '../text/spending.ts';
import { style } from '../text/style.ts';
import { table } from '../text/table.ts';

type Options = GlobalOptions & { by: UsageGroup; since?: string; job?: string; json?: boolean };

export function configure(command: Command): void {
  command
    .addOption(new Option('--by <what>', 'put together by this').choices(usageGroupSchema.options).default('model'))
    .option('--since <time>', 'calls begun since then: 12h, 7d, or a date like 2026-01-31')
    .option('--job <job>', 'of one job or chat alone')
    .option('--json', 'print one JSON object')
    .action(async (_options: unknown, self: Command) => {
      const { by, since, job, json, ...global } = self.optsWithGlobals<Options>();
      const client = await connect(global);
      const report = await client.readUsage({
        by,
        ...(since === undefined ? {} : { since: parseSince(since, Date.now()) }),
        ...(job === undefined ? {} : { job }),
      });
      if (json) printJson(report);
      else process.stdout.write(describe(by, report));
    });
}

const unitMs: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** A time before `now`, in milliseconds since the epoch, or a date of UTC; as ISO 8601. Throws `usage.invalid`. */
export function parseSince(text: string, now: number): string {
  const [, count, unit] = /^(\d+(?:\.\d+)?)([mhdw])$/.exec(text) ?? [];
  const date = count === undefined ? Date.parse(text) : now - Number(count) * unitMs[unit!]!;
  if (/^(\d+(?:\.\d+)?[mhdw]|\d{4}-\d\d-\d\d(T.*)?)$/.test(text) && Math.abs(date) < 8.64e15)
    return new Date(date).toISOString();
  throw new HelixError(
    'usage.invalid',
    `--since takes a time like 12h or 7d, or a date like 2026-01-31, not "${text}"`,
  );
}

function describe(by: UsageGroup, { rows, total }: UsageReport): string {
  if (rows.length === 0) return 'no model was asked\n';
  const cells = (name: string, counts: UsageTotal, title: string): string[] => [
    name,
    String(counts.calls),
    String(counts.inputTokens),
    String(counts.outputTokens),
    formatCacheHits(counts),
    formatCost(counts),
    title,
  ];
  const lost = total.lostCalls;
  return (
    table(
      [by.toUpperCase(), 'CALLS', 'INPUT', 'OUTPUT', 'CACHED', 'COST', ''],
      [
        ...rows.map((row) => cells(cleanLine(row.key), row, cleanLine(row.title ?? '').slice(0, 60))),
        ...(rows.length > 1 ? [cells(style('bold', 'total'), total, '')] : []),
      ],
    ) +
    (lost > 0
      ? `${lost} ${lost === 1 ? 'call was' : 'calls were'} lost, and ${lost === 1 ? 'counts' : 'count'} with all that they could have cost\n`
      : '')
  );
}

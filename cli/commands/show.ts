import type { Command } from 'commander';
import { type JobView, modes, type StepView } from '../../contracts/job.ts';
import type { UsageTotal } from '../../contracts/usage.ts';
import { connect, type GlobalOptions } from '../connect.ts';
import { usageOf } from '../job/usage-of.ts';
import { printJson } from '../output.ts';
import { clean, cleanLine } from '../text/clean.ts';
import { formatDuration } from '../text/duration.ts';
import { describeUsage } from '../text/spending.ts';
import { style, styledStatus } from '../text/style.ts';
import { table } from '../text/table.ts';
import { describeReasoning, type ReasoningEvent, readReasoning } from '../view/reasoning.ts';
import { describeResult } from '../view/summary.ts';

export function configure(command: Command): void {
  command
    .argument('<job>', 'id of the job')
    .option('--json', 'print the job and its steps as one JSON object')
    .action(async (jobId: string, { json }: { json?: boolean }, self: Command) => {
      const client = await connect(self.optsWithGlobals<GlobalOptions>());
      const [job, steps, reasoning] = await Promise.all([
        client.getJob(jobId),
        client.listSteps(jobId),
        readReasoning(client, jobId),
      ]);
      if (json) printJson({ ...job, steps, reasoning });
      else process.stdout.write(describeJob(job, await usageOf(client, jobId), steps, reasoning));
    });
}

function describeJob(
  job: JobView,
  usage: UsageTotal | undefined,
  steps: readonly StepView[],
  reasoning: readonly ReasoningEvent[],
): string {
  const { source, goal, kind, modes: asked } = job.request;
  const facts = [
    ['job', style('bold', job.jobId)],
    ['status', styledStatus(job.status) + (job.phase ? ` in ${job.phase}` : '')],
    ['source', cleanLine(source.location) + (source.ref ? ` at ${cleanLine(source.ref)}` : '')],
    ...(goal
      ? [
          [
            'goal',
            clean(goal)
              .trimEnd()
              .replaceAll('\n', `\n${' '.repeat(15)}`),
          ],
        ]
      : []),
    ['modes', kind === 'chat' ? 'a chat' : modes.filter((mode) => asked.includes(mode)).join(', ')],
    ['created', job.createdAt],
    ...(job.webUrl ? [['web', job.webUrl]] : []),
  ];
  const parts = [facts.map(([name, text]) => `  ${style('dim', name!.padEnd(12))} ${text}\n`).join('')];
  if (job.items.length > 0) parts.push(describeItems(job));
  if (steps.length > 0) parts.push(describeSteps(steps));
  if (reasoning.length > 0) parts.push(describeReasoning(reasoning));
  if (job.checkpoints.length > 0) parts.push(describeCheckpoints(job));
  if (job.result) parts.push(describeResult(job, job.result, usage).trimStart());
  else if (usage) parts.push(`  ${style('dim', 'models'.padEnd(12))} ${describeUsage(usage)}\n`);
  return parts.join('\n');
}

function describeItems({ items }: JobView): string {
  return table(
    ['ITEM', 'STATE', 'AFTER', 'TITLE'],
    items.map(({ id, title, needs, state, message }) => [
      id,
      styledStatus(state),
      needs.join(', ') || '-',
      cleanLine(title) + (message ? ` (${cleanLine(message)})` : ''),
    ]),
  );
}

function describeSteps(steps: readonly StepView[]): string {
  return table(
    ['STEP', 'PHASE', 'STATE', 'NODE', 'TIME', 'TITLE'],
    steps.map((step) => [
      String(step.number),
      step.phase,
      styledStatus(step.state) + (step.cached ? ' (cached)' : ''),
      step.node ?? '-',
      step.durationMs === null ? '-' : formatDuration(step.durationMs),
      cleanLine(step.title),
    ]),
  );
}

function describeCheckpoints({ checkpoints }: JobView): string {
  return table(
    ['CHECKPOINT', 'PHASE', 'SNAPSHOT', 'HOLDS'],
    checkpoints.map(({ id, phase, snapshot, title }) => [id, phase, snapshot.slice(0, 12), cleanLine(title)]),
  );
}

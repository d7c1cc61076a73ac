import { type JobResult, type JobView, modes } from '../../contracts/job.ts';
import { clean, cleanLine } from '../text/clean.ts';
import type { UsageTotal } from '../../contracts/usage.ts';
import { formatDuration } from '../text/duration.ts';
import { describeUsage } from '../text/spending.ts';
import { style, styledStatus } from '../text/style.ts';

/** What came of a job, for people; with what its models took, when any was asked. */
export function describeResult(job: JobView, result: JobResult, usage?: UsageTotal): string {
  const lines = [
    '',
    `${style('bold', result.jobId)} ${styledStatus(result.status)} in ${formatDuration(result.durationMs)}`,
  ];
  for (const mode of modes) {
    const phase = result.phases[mode];
    if (phase) lines.push(row(mode, `${styledStatus(phase.status, 12)} ${cleanLine(phase.summary)}`));
  }
  const { tests, steps } = result;
  if (tests.total > 0)
    lines.push(row('tests', `${tests.passed} passed, ${tests.failed} failed, ${tests.skipped} skipped`));
  lines.push(row('steps', `${steps.run} run, ${steps.cached} from the cache`));
  if (usage) lines.push(row('models', describeUsage(usage)));
  if (result.reason && result.status !== 'succeeded') lines.push(row('reason', indent(clean(result.reason.message))));
  lines.push(row('result', describeOutcome(result)));
  if (job.webUrl) lines.push(row('web', job.webUrl));
  return `${lines.join('\n')}\n`;
}

function describeOutcome({ jobId, branch, patch }: JobResult): string {
  if (branch) return `branch ${style('bold', branch)}${patch ? `; helix diff ${jobId} shows its changes` : ''}`;
  if (patch) return `helix diff ${jobId} prints the patch, helix apply ${jobId} applies it`;
  return 'nothing was changed';
}

function row(name: string, text: string): string {
  return `  ${style('dim', name.padEnd(12))} ${text}`;
}

function indent(text: string): string {
  return text.trimEnd().replaceAll('\n', `\n${' '.repeat(15)}`);
}

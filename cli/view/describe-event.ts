import type { JobEvent } from '../../contracts/event.ts';
import type { WorkItemView } from '../../contracts/plan.ts';
import { stepSucceeded } from '../../contracts/derived.ts';
import type { StepEnd } from '../../contracts/step.ts';
import { clean, cleanLine } from '../text/clean.ts';
import { formatDuration } from '../text/duration.ts';
import { style, styledStatus } from '../text/style.ts';

/** An event in a line or, for a note, a few. Undefined for what says nothing on its own: the end has a summary. */
export function describeEvent({ data, jobId }: JobEvent): string | undefined {
  switch (data.type) {
    case 'job.started':
      return `${jobId} started on ${cleanLine(data.location)}${data.goal ? `: ${cleanLine(data.goal)}` : ''}`;
    case 'job.waiting-for-approval':
      return `waiting for approval: helix approve ${jobId}, or helix reject ${jobId}`;
    case 'job.approved':
      return 'the plan was approved';
    case 'job.rejected':
      return `the plan was rejected${data.reason ? `: ${cleanLine(data.reason)}` : ''}`;
    case 'job.paused':
      return `paused: helix resume ${jobId} lets it go on`;
    case 'job.resumed':
      return 'resumed';
    case 'job.cancelling':
      return 'cancelling';
    case 'job.rolled-back':
      return `rolled back to ${data.checkpoint.id} (${cleanLine(data.checkpoint.title)})`;
    case 'job.finished':
      return undefined;
    case 'phase.started':
      return style('bold', data.phase);
    case 'phase.finished':
      return `${style('bold', data.phase)} ${styledStatus(data.result.status)} in ${formatDuration(data.result.durationMs)}: ${cleanLine(data.result.summary)}`;
    case 'checkpoint.recorded':
      return `checkpoint ${data.checkpoint.id}: ${cleanLine(data.checkpoint.title)}`;
    case 'items.changed':
      return data.items.map(describeItem).join('\n');
    case 'step.waiting':
      return `${cleanLine(data.title)}: waiting for a node with ${data.class}`;
    case 'step.started':
      return `${cleanLine(data.title)}: started on ${data.node}${describeStart(data)}`;
    case 'step.finished':
      return `${cleanLine(data.title)}: ${describeEnd(data)}`;
    case 'step.interrupted':
      return `${cleanLine(data.title)}: interrupted${data.node ? ` on ${data.node}` : ''} (${cleanLine(data.reason)}), tried again`;
    case 'model.asked':
      return data.attempt > 1 ? style('dim', `${cleanLine(data.title)}: ${data.model} is asked again`) : undefined;
    case 'model.answered':
      return `${describeAgent(data)}: ${cleanLine(data.text) || 'uses its tools'} ${style('dim', describeCall(data))}`;
    case 'reasoning.chosen':
      return style('dim', `${cleanLine(data.title)}: ${data.strategy} (${cleanLine(data.reason)})`);
    case 'reasoning.step':
      return `${describeAgent(data)}: ${cleanLine(data.outcome)}`;
    case 'tool.called':
      return style(data.isError ? 'yellow' : 'dim', `  ${cleanLine(data.summary)}`);
    case 'agent.asks':
      return data.kind === 'approval'
        ? `${cleanLine(data.title)} asks to ${cleanLine(data.text)}: helix allow ${jobId} ${data.callId}, or helix deny ${jobId} ${data.callId}`
        : `${cleanLine(data.title)} asks: ${cleanLine(data.text)}: helix answer ${jobId} ${data.callId} "..."`;
    case 'agent.limited':
      return style('yellow', `${cleanLine(data.title)} waits until ${data.until}: ${cleanLine(data.reason)}`);
    case 'agent.out-of-budget':
      return style('yellow', `${cleanLine(data.title)}: ${cleanLine(data.reason)}: helix budget ${jobId} raises it`);
    case 'chat.asked':
      return style('bold', `> ${cleanLine(data.text)}`);
    case 'chat.answered':
      return data.status === 'done'
        ? undefined
        : style('yellow', `${data.status}${data.text ? `: ${cleanLine(data.text)}` : ''}`);
    case 'note':
      return style(noteColours[data.level], clean(data.message).trimEnd());
  }
}

function describeItem({ id, title, state, message }: WorkItemView): string {
  const colour = state === 'failed' ? 'red' : state === 'not-run' || state === 'redoing' ? 'yellow' : 'dim';
  return style(colour, `  item ${id} (${cleanLine(title)}): ${state}${message ? `, ${cleanLine(message)}` : ''}`);
}

/** Which agent at which work, and at which step of its reasoning. */
function describeAgent({ title, step }: { title: string; step?: string | undefined }): string {
  return cleanLine(step === undefined ? title : `${title}: ${step}`);
}

function describeCall(call: { model: string; inputTokens: number; outputTokens: number; usd: number | null }): string {
  const cost = call.usd === null ? '' : `, $${call.usd.toFixed(4)}`;
  return `(${call.model}, ${call.inputTokens} + ${call.outputTokens} tokens${cost})`;
}

/** Which attempt it is, how long it waited where that is worth a word, and why there. */
function describeStart({ attempt, waitedMs = 0, why }: { attempt: number; waitedMs?: number; why?: string }): string {
  const parts = [
    ...(attempt > 1 ? [`attempt ${attempt}`] : []),
    ...(waitedMs >= 1000 ? [`waited ${formatDuration(waitedMs)}`] : []),
    ...(why ? [why] : []),
  ];
  return parts.length === 0 ? '' : ` ${style('dim', `(${parts.join(', ')})`)}`;
}

const noteColours = { info: 'dim', warning: 'yellow', error: 'red' } as const;

const endings: Record<Exclude<StepEnd, 'exited'>, string> = {
  timeout: 'ran into its time limit and was ended',
  'lease-expired': 'was ended by its node, because nobody asked for it any more',
  cancelled: 'cancelled',
  'log-limit': 'printed more than the limit for logs and was ended',
  'install-failed': 'its dependencies could not be installed',
};

interface Ending {
  node: string;
  cached: boolean;
  end: string;
  exitCode: number | null;
  durationMs: number;
}

function describeEnd({ node, cached, end, exitCode, durationMs }: Ending): string {
  if (stepSucceeded({ end: end as StepEnd, exitCode })) {
    return cached ? 'answered from the cache' : `done in ${formatDuration(durationMs)} on ${node}`;
  }
  const why = end === 'exited' ? `failed with exit code ${exitCode}` : (endings[end as keyof typeof endings] ?? end);
  return `${style('red', why)} after ${formatDuration(durationMs)} on ${node}${cached ? ' (from the cache)' : ''}`;
}

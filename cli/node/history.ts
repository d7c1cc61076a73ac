import type { NodeEvent, NodeMetrics } from '../../contracts/node.ts';
import { cleanLine } from '../text/clean.ts';
import { style, styledStatus } from '../text/style.ts';

/** How a node was: the last hour in a line, and its changes of state, newest first. */
export function describeHistory(events: readonly NodeEvent[], minutes: readonly NodeMetrics[]): string {
  const lines = [
    ...(minutes.length === 0 ? [] : [`  ${'last hour'.padEnd(10)} ${describeMinutes(minutes)}`]),
    ...(events.length === 0 ? [] : [style('dim', 'HISTORY')]),
    ...events.map(({ at, state, reason }) => `  ${at.replace('T', ' ').slice(0, 19)}  ${styledStatus(state)}${reason ? ` (${cleanLine(reason)})` : ''}`), // prettier-ignore
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function describeMinutes(minutes: readonly NodeMetrics[]): string {
  const mean = (pick: (row: NodeMetrics) => number): number =>
    minutes.reduce((sum, row) => sum + pick(row), 0) / minutes.length;
  const most = (pick: (row: NodeMetrics) => number): number => Math.max(...minutes.map(pick));
  return [
    `cpu ${Math.round(mean(({ cpu }) => cpu) * 100)}% (${Math.round(most(({ cpuMax }) => cpuMax) * 100)}% at most)`,
    `load ${mean(({ load }) => load).toFixed(1)} (${most(({ loadMax }) => loadMax).toFixed(1)})`,
    `latency ${mean(({ latencyMs }) => latencyMs).toFixed(1)} ms (${most(({ latencyMaxMs }) => latencyMaxMs).toFixed(1)})`,
    `steps ${mean(({ busy }) => busy).toFixed(1)}`,
  ].join(', ');
}

import type { HelixClient } from '../../client/client.ts';
import type { NodeRecord } from '../../contracts/node.ts';
import { describeSize } from '../../contracts/size.ts';
import { printJsonLine } from '../output.ts';
import { cleanLine } from '../text/clean.ts';
import { formatDuration } from '../text/duration.ts';
import { styledStatus } from '../text/style.ts';
import { table } from '../text/table.ts';

const redrawMs = 1_000;
/** Of a reason, so that a row stays a row. */
const reasonLength = 60;

/** Draws the nodes anew every second until Ctrl-C; with `json` all of them as one line each time. */
export async function watchNodes(client: HelixClient, json: boolean): Promise<void> {
  const control = new AbortController();
  process.once('SIGINT', () => control.abort());
  let drawn = 0;
  while (!control.signal.aborted) {
    const nodes = await client.listNodes();
    if (json) printJsonLine(nodes);
    else {
      const text = liveTable(nodes, Date.now());
      // Over what was there; where output is no terminal, below it.
      if (process.stdout.isTTY && drawn > 0) process.stdout.write(`\x1b[${drawn}A\x1b[J`);
      process.stdout.write(text);
      drawn = text.split('\n').length - 1;
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, redrawMs);
      control.signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
    });
  }
}

/** How the nodes are at a moment. */
export function liveTable(nodes: readonly NodeRecord[], now: number): string {
  const heading = ['NAME', 'STATE', 'FOR', 'BUSY', 'CPU', 'LOAD', 'MEMORY FREE', 'DISK FREE', 'LATENCY', 'REASON'];
  return table(
    heading,
    nodes.map(({ name, state, since, busy, slots, metrics, reason }) => [
      name,
      styledStatus(state),
      formatDuration(Math.max(0, now - Date.parse(since))),
      `${busy}/${slots}`,
      ...(metrics
        ? [
            `${Math.round(metrics.cpu * 100)}%`,
            metrics.load.toFixed(1),
            describeSize(metrics.memoryFree),
            describeSize(metrics.diskFree),
            `${metrics.latencyMs.toFixed(1)} ms`,
          ]
        : ['-', '-', '-', '-', '-']),
      cleanLine(reason ?? '').slice(0, reasonLength),
    ]),
  );
}

import type { StackState } from '../infra/embedded/stack.ts';
import { style } from './text/style.ts';

export function toStderr(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Where the parts of the stack that people use are. */
export function describeStack({ apiUrl, temporalUiUrl, temporalAddress }: StackState): string {
  const rows = [['API', apiUrl], ['Temporal', temporalAddress], ...(temporalUiUrl ? [['Web UI', temporalUiUrl]] : [])];
  return rows.map(([name, address]) => `  ${style('dim', name!.padEnd(12))} ${address}\n`).join('');
}

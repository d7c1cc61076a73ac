import { styleText } from 'node:util';

type Format = Parameters<typeof styleText>[0];

/** Colours when stdout is a terminal and NO_COLOR is not set; otherwise the text itself. */
export function style(format: Format, text: string): string {
  return styleText(format, text, { stream: process.stdout });
}

const colours: Record<string, Format> = {
  succeeded: 'green',
  healthy: 'green',
  running: 'cyan',
  starting: 'cyan',
  external: 'cyan',
  failed: 'red',
  unreachable: 'red',
  'rolled-back': 'yellow',
  'waiting-for-approval': 'yellow',
  waiting: 'yellow',
  paused: 'yellow',
  cancelled: 'magenta',
  rejected: 'magenta',
};

/** A status word in its colour. */
export function styledStatus(status: string, width = 0): string {
  const padded = status.padEnd(width);
  const colour = colours[status];
  return colour ? style(colour, padded) : padded;
}

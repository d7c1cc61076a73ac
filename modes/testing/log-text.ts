import { stripVTControlCharacters } from 'node:util';
import { parseGoEvent } from './parsers/go-json.ts';

/** A log read further than this is cut in its middle: the beginning and, more important, the end are kept. */
const mostCharacters = 48 * 1024 * 1024;

/** The lines of a log without colours, carriage returns and what they overwrote. */
export function logLines(log: string): string[] {
  const kept =
    log.length <= mostCharacters ? log : `${log.slice(0, mostCharacters / 4)}\n${log.slice(-mostCharacters * 0.75)}`;
  return stripVTControlCharacters(kept)
    .split('\n')
    .map((line) => line.replace(/\r+$/, '').replace(/^.*\r/, ''));
}

/** A log as people read it: the events of `go test -json` become the text they carry. */
export function readableLog(log: string): string {
  const lines = logLines(log);
  return lines
    .map((line) => {
      const event = parseGoEvent(line);
      return event ? (event.Output ?? '') : `${line}\n`;
    })
    .join('')
    .trimEnd();
}

import { stripVTControlCharacters } from 'node:util';

/** Text out of a repository for a terminal: without escape sequences and control characters, which could rewrite the screen. */
export function clean(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return stripVTControlCharacters(text).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');
}

export function cleanLine(text: string): string {
  return clean(text).replace(/\s+/g, ' ').trim();
}

import { stripVTControlCharacters } from 'node:util';

const mostCharacters = 300;

/** The last lines of what a machine said, fit for a message: on one line, without control characters, and short. */
export function lastWords(text: string, lines = 1): string {
  const said = stripVTControlCharacters(text)
    .replaceAll('\t', ' ')
    .split(/[\r\n]+/)
    // What is no text shows as the sign for it, once.
    .map((line) =>
      line
        .replaceAll(/\p{C}|\uFFFD/gu, '\uFFFD')
        .replaceAll(/\uFFFD{2,}/g, '\uFFFD')
        .trim(),
    )
    .filter(Boolean);
  const words = said.slice(-lines).join(' / ');
  return words.length <= mostCharacters ? words : `${words.slice(0, mostCharacters)}…`;
}

import { stripVTControlCharacters } from 'node:util';
import { style } from './style.ts';

/** Rows in columns as wide as they need to be, under a heading. Cells may be coloured. */
export function table(heading: string[], rows: string[][]): string {
  const widths = heading.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => visibleLength(row[column] ?? ''))),
  );
  const line = (cells: string[]) =>
    cells
      .map((cell, column) =>
        column === cells.length - 1 ? cell : cell + ' '.repeat(widths[column]! - visibleLength(cell)),
      )
      .join('  ');
  return [style('dim', line(heading)), ...rows.map(line)].map((text) => `${text.trimEnd()}\n`).join('');
}

function visibleLength(text: string): number {
  return stripVTControlCharacters(text).length;
}

import { clean } from './clean.ts';
import { style } from './style.ts';

/** The colours of `git diff`. */
export function colourPatch(patch: string): string {
  return clean(patch)
    .split('\n')
    .map((line) => {
      if (/^(diff|index|---|\+\+\+|new file|deleted file|old mode|new mode|rename|similarity)/.test(line))
        return style('bold', line);
      if (line.startsWith('@@')) return style('cyan', line);
      if (line.startsWith('+')) return style('green', line);
      return line.startsWith('-') ? style('red', line) : line;
    })
    .join('\n');
}

import { expandBraces } from '../contracts/expand-braces.ts';

/** `paths`: `*` and `?` stay within a folder, `**` crosses folders, `{a,b}` are alternatives. `text`: `*` stands for anything. */
export type GlobKind = 'paths' | 'text';

/**
 * Whether a glob matches all of a text. Takes time in proportion to both lengths, whatever they hold. A glob of paths with more alternatives than
 * `expandBraces` knows matches nothing: rules with such are refused.
 */
export function matchesGlob(glob: string, text: string, kind: GlobKind): boolean {
  if (kind === 'text') return matchesTokens(textTokens(glob), text);
  return (expandBraces(glob) ?? []).some((one) => matchesTokens(pathTokens(one), text));
}

/**
 * One step of a match: a character; any character (`?`, not `/`); a run without `/` (`*`); any run (`**`); or folders, each with its slash:
 * `folders` may be left at once, `inside` only after a slash.
 */
type Token = { is: 'character'; character: string } | { is: 'any' | 'name' | 'run' | 'folders' | 'inside' };

function textTokens(glob: string): Token[] {
  return Array.from(glob, (character) => (character === '*' ? { is: 'run' } : { is: 'character', character }));
}

function pathTokens(glob: string): Token[] {
  const tokens: Token[] = [];
  const parts = glob.split(/(\*\*\/|\*\*|\*|\?)/);
  for (const part of parts) {
    if (part === '**/') tokens.push({ is: 'folders' }, { is: 'inside' });
    else if (part === '**') tokens.push({ is: 'run' });
    else if (part === '*') tokens.push({ is: 'name' });
    else if (part === '?') tokens.push({ is: 'any' });
    else for (const character of part) tokens.push({ is: 'character', character });
  }
  return tokens;
}

function matchesTokens(tokens: Token[], text: string): boolean {
  let states = reach(tokens, [0]);
  for (const character of text) {
    const next: number[] = [];
    for (const at of states) {
      const token = tokens[at];
      if (!token) continue;
      if (token.is === 'character') {
        if (token.character === character) next.push(at + 1);
      } else if (token.is === 'any') {
        if (character !== '/') next.push(at + 1);
      } else if (token.is === 'name') {
        if (character !== '/') next.push(at);
      } else if (token.is === 'run') next.push(at);
      else {
        const inside = token.is === 'inside' ? at : at + 1;
        next.push(inside);
        if (character === '/') next.push(inside - 1);
      }
    }
    if (next.length === 0) return false;
    states = reach(tokens, next);
  }
  return states.has(tokens.length);
}

/** The states and those reached from them without a character. */
function reach(tokens: Token[], from: number[]): Set<number> {
  const reached = new Set<number>();
  for (const start of from) {
    for (let at: number | undefined = start; at !== undefined && !reached.has(at);) {
      reached.add(at);
      const is: Token['is'] | undefined = tokens[at]?.is;
      at = is === 'name' || is === 'run' ? at + 1 : is === 'folders' ? at + 2 : undefined;
    }
  }
  return reached;
}

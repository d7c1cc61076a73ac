/** More than this in one glob are refused: each `{,}` more may double them. */
export const mostAlternatives = 64;

/** The globs without braces that `{a,b}` stand for, nested ones too; a brace without partner or comma stands for itself. Undefined when there are too many. */
export function expandBraces(glob: string): string[] | undefined {
  const done: string[] = [];
  const open = [glob];
  while (open.length > 0) {
    const next = open.pop()!;
    const match = /\{([^{}]*,[^{}]*)\}/.exec(next);
    if (!match) done.push(next);
    else
      for (const part of match[1]!.split(','))
        open.push(next.slice(0, match.index) + part + next.slice(match.index + match[0].length));
    if (open.length + done.length > mostAlternatives) return undefined;
  }
  return done;
}

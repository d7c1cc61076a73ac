/** What a Claude model accepts in a request. What it does not accept is answered with HTTP 400, so it has to be known before. */
export interface ModelRules {
  /**
   * `none`: does not think. `budget`: thinks with a number of tokens. `adaptive`: decides by itself how much, with an effort. `always`: the same, and it
   * cannot be turned off.
   */
  thinking: 'none' | 'budget' | 'adaptive' | 'always';
  /** Thinks unless it is told not to. */
  thinksByDefault: boolean;
  /** Takes temperature and top_p. */
  sampling: boolean;
  /** Obeys a JSON schema for the answer; the others are made to call a tool with that schema. */
  structuredOutput: boolean;
  /** Thinks between tool calls only with a beta header. */
  interleavedBeta: boolean;
}

/** The rules for a model by its name, also as other hosts write it (`anthropic.claude-opus-4-6-v1`, `claude-opus-4.6`). */
export function modelRules(model: string): ModelRules {
  const { line, version } = parseName(model);
  const always = line === 'fable' || line === 'mythos' || (line === 'opus' && version >= 505);
  return {
    thinking: always ? 'always' : version >= 406 ? 'adaptive' : version >= 307 ? 'budget' : 'none',
    thinksByDefault: always || version >= 500,
    sampling: !always && version < 407,
    structuredOutput: always || version >= 405,
    interleavedBeta: version >= 400 && version <= 405,
  };
}

/** `version` is 100 times the first number plus the second. An unknown name counts as the last that took budgets, which hosts of own names tend to be. */
function parseName(model: string): { line: string; version: number } {
  const newer = /(opus|sonnet|haiku|fable|mythos)-(\d)(?:[.-](\d{1,2})(?!\d))?/.exec(model);
  if (newer) return { line: newer[1]!, version: Number(newer[2]) * 100 + Number(newer[3] ?? 0) };
  const older = /claude-(\d)(?:[.-](\d))?(?!\d)/.exec(model);
  if (older) return { line: '', version: Number(older[1]) * 100 + Number(older[2] ?? 0) };
  return { line: /mythos|fable/.exec(model)?.[0] ?? '', version: 405 };
}

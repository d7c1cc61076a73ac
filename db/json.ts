/**
 * Text PostgreSQL can store. It refuses NUL in text and in JSON, and lone surrogates in JSON; both turn up in quoted program
 * output, so they become U+FFFD.
 */
export function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\uFFFD');
}

/** A parameter for a `jsonb` column. Needed because `pg` would send an array as a PostgreSQL array. */
export function toJsonb(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'string') return storableText(part);
    if (part === null || typeof part !== 'object' || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).map(([key, entry]) => [storableText(key), entry as unknown]));
  });
}

const hidden = '[redacted]';

const secretKey =
  /pass(word|phrase|wd)?$|secret|token$|api[-_]?key|private[-_]?key|access[-_]?key|credential|authorization|cookie|^(dsn|auth)$/i;

/** Shapes of secrets inside a text; what a pattern's first group holds stays readable. */
const secretTexts: readonly RegExp[] = [
  /()-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /([a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:)[^\s/@]+(?=@)/gi,
  /(\b(?:Bearer|Basic) )[A-Za-z0-9+/._~-]{8,}=*/gi,
  /()\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}/g,
  /()\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}|\bglpat-[A-Za-z0-9_-]{16,}/g,
  /()\bhxjoin1_[A-Za-z0-9_-]{16,}/g,
  /()\bxox[abeprs]-[A-Za-z0-9-]{10,}/g,
  /()\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g,
  /()\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*/g,
  /(\b[\w-]*(?:password|passphrase|secret|token|api[-_]?key)["']?\s*[=:]\s*["']?)(?!\[redacted\])[^\s"',;&]+/gi,
];

/** The text without passwords in addresses, keys, tokens, and values of settings that are named like secrets. */
export function redactText(text: string): string {
  return secretTexts.reduce(
    (rest, pattern) => rest.replace(pattern, (_, kept: string | undefined) => `${kept ?? ''}${hidden}`),
    text,
  );
}

/** A copy with every string redacted, and with strings under secret-looking keys hidden whole. Cycles become `[circular]`. */
export function redactValue<T>(value: T): T {
  return redact(value, []) as T;
}

function redact(value: unknown, above: object[]): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (above.includes(value)) return '[circular]';
  const path = [...above, value];
  if (Array.isArray(value)) return value.map((item) => redact(item, path));
  if (value instanceof Error) return redact(plainError(value), path);
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => [
      key,
      secretKey.test(key) && (typeof child === 'string' || Buffer.isBuffer(child)) ? hidden : redact(child, path),
    ]),
  );
}

function plainError(error: Error): Record<string, unknown> {
  const { name, message, stack, cause } = error;
  return Object.assign(Object.fromEntries(Object.entries(error)), {
    type: name,
    message,
    stack,
    ...(cause === undefined ? {} : { cause }),
  });
}

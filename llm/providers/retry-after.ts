/**
 * How long the provider asks to wait, in milliseconds: `retry-after-ms`, or `Retry-After` in seconds or as an HTTP date. Undefined when it says
 * nothing that can be read; never negative.
 */
export function retryAfterMs(headers: Headers | undefined, now: number = Date.now()): number | undefined {
  const inMs = headers?.get('retry-after-ms');
  if (inMs && isNumber(inMs)) return Math.ceil(Number(inMs));
  const value = headers?.get('retry-after')?.trim();
  if (!value) return undefined;
  if (isNumber(value)) return Math.ceil(Number(value) * 1000);
  // Date.parse takes nearly any number for a date.
  const date = /[a-z]/i.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

function isNumber(text: string): boolean {
  return /^\s*\d+(?:\.\d+)?\s*$/.test(text);
}

import type { Quote } from './quote.js';

/** `1234` -> `12.34 EUR` */
export function formatPrice(cents: number): string {
  return `${(cents / 100).toFixed(2)} EUR`;
}

/** A quote in one line, for customers. */
export function formatQuote({ zone, weight, price }: Quote): string {
  return `${formatPrice(price)} for ${weight} kg (${zone})`;
}

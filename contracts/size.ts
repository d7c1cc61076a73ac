/** Bytes by unit. The letter alone is left out, because it means either; the larger unit stands first. */
const units = Object.entries({
  TiB: 2 ** 40,
  TB: 1e12,
  GiB: 2 ** 30,
  GB: 1e9,
  MiB: 2 ** 20,
  MB: 1e6,
  KiB: 2 ** 10,
  kB: 1e3,
  B: 1,
});

/** Bytes of a size such as `8GiB`, `1.5GB` or `512MiB`; undefined when the text is none. */
export function parseSize(text: string): number | undefined {
  const [, number, name = ''] = /^(\d+(?:\.\d+)?)([a-z]+)$/i.exec(text) ?? [];
  const unit = units.find(([one]) => one.toLowerCase() === name.toLowerCase());
  if (number === undefined || !unit) return undefined;
  const bytes = Math.round(Number(number) * unit[1]);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** The one spelling of a size: a whole number, as small as any unit makes it. */
export function canonicalSize(bytes: number): string {
  const [name, factor] = units.find(([, size]) => bytes % size === 0) ?? ['B', 1];
  return `${bytes / factor}${name}`;
}

/** A size for people, e.g. `7.7 GiB`. */
export function describeSize(bytes: number): string {
  const [name, factor] = units.find(([unit, size]) => unit.endsWith('iB') && bytes >= size) ?? ['B', 1];
  return `${Number((bytes / factor).toFixed(1))} ${name}`;
}

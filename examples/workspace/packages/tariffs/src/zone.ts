/** How far a parcel goes. */
export type Zone = 'domestic' | 'neighbour' | 'union' | 'world';

const neighbours = new Set(['AT', 'BE', 'CH', 'CZ', 'DK', 'FR', 'LU', 'NL', 'PL']);
const union = new Set(['BG', 'CY', 'EE', 'ES', 'FI', 'GR', 'HR', 'HU', 'IE', 'IT', 'LT', 'LV', 'MT', 'PT', 'RO', 'SE', 'SI', 'SK']);

/** The zone of a destination, by its ISO 3166 country code, as seen from Germany. */
export function zoneOf(country: string): Zone {
  const code = country.toUpperCase();
  if (!/^[A-Z]{2}$/.test(code)) throw new RangeError(`"${country}" is no country code of two letters`);
  if (code === 'DE') return 'domestic';
  if (neighbours.has(code)) return 'neighbour';
  return union.has(code) ? 'union' : 'world';
}

/** Outer measures of a parcel in centimetres. */
export interface Size {
  length: number;
  width: number;
  height: number;
}

export interface Parcel {
  size: Size;
  /** What the scales show, in kilograms. */
  scaleWeight: number;
}

/** Reads `60x40x30` (centimetres). Throws a RangeError for anything else. */
export function parseSize(text: string): Size {
  const match = /^(\d+)x(\d+)x(\d+)$/i.exec(text.trim());
  if (!match) throw new RangeError(`"${text}" is no size: write LENGTHxWIDTHxHEIGHT in centimetres`);
  const [length, width, height] = match.slice(1).map(Number) as [number, number, number];
  return { length, width, height };
}

/** Length plus girth in centimetres, the measure carriers limit. */
export function girthLength(size: Size): number {
  const [longest, ...others] = [size.length, size.width, size.height].sort((a, b) => b - a) as [number, number, number];
  return longest + 2 * (others[0]! + others[1]!);
}

import type { Parcel, Size } from './parcel.js';

/** Cubic centimetres that carriers count as one kilogram. */
export const cubicDivisor = 5000;

/** Kilograms a parcel of this size is counted as, however light it is. */
export function volumetricWeight(size: Size): number {
  return (size.length * size.width * size.height) / cubicDivisor;
}

/** The weight a carrier bills: the larger of scale weight and volumetric weight, rounded up to half a kilogram. */
export function getWeight(parcel: Parcel): number {
  return Math.ceil(Math.max(parcel.scaleWeight, volumetricWeight(parcel.size)) * 2) / 2;
}

/** Reads `2.5kg` or `800 g` as kilograms. Throws a RangeError for anything else. */
export function parseWeight(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(kg|g)$/i.exec(text.trim());
  if (!match) throw new RangeError(`"${text}" is no weight: write it like 2.5kg or 800g`);
  return match[2]!.toLowerCase() === 'g' ? Number(match[1]) / 1000 : Number(match[1]);
}

import { getWeight, girthLength } from '@parcel-desk/measures';
import type { Parcel } from '@parcel-desk/measures';
import type { WeighingRule } from './rule.js';
import type { Zone } from './zone.js';

/** Cents for the first kilogram, and for each further one. */
const prices: Record<Zone, { first: number; further: number }> = {
  domestic: { first: 499, further: 60 },
  neighbour: { first: 990, further: 110 },
  union: { first: 1390, further: 180 },
  world: { first: 2490, further: 640 },
};

/** Longest girth length carried, in centimetres. */
export const girthLimit = 360;
export const bulkySurcharge = 1500;

/** Price in cents of carrying a parcel to a zone. Throws a RangeError for a parcel that is too large. */
export function priceOf(parcel: Parcel, zone: Zone, weigh: WeighingRule = getWeight): number {
  const girth = girthLength(parcel.size);
  if (girth > girthLimit) throw new RangeError(`the parcel measures ${girth} cm in length and girth, ${girthLimit} cm is the limit`);
  const { first, further } = prices[zone];
  const weight = weigh(parcel);
  const surcharge = girth > girthLimit - 60 ? bulkySurcharge : 0;
  return first + Math.ceil(Math.max(0, weight - 1)) * further + surcharge;
}

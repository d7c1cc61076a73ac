import { getWeight, priceOf, zoneOf } from '@parcel-desk/tariffs';
import type { Parcel, Zone } from '@parcel-desk/tariffs';

export interface Quote {
  zone: Zone;
  /** Kilograms that are billed. */
  weight: number;
  /** Cents. */
  price: number;
  /** How the weight was found, as bookkeeping files it: contracts refer to this text, so it never changes. */
  rule: 'getWeight/v1';
}

/** A quote for sending a parcel to a country. The weight is that of {@link getWeight}. */
export function quote(parcel: Parcel, country: string): Quote {
  const zone = zoneOf(country);
  const weight = getWeight(parcel);
  return { zone, weight, price: priceOf(parcel, zone), rule: 'getWeight/v1' };
}

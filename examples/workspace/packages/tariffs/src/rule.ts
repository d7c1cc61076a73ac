import type { getWeight } from '@parcel-desk/measures';

/** A way to weigh a parcel for billing; the usual one is {@link getWeight}. */
export type WeighingRule = typeof getWeight;

/** Bills what the scales show, for contracts without volumetric weight. */
export const scalesOnly: WeighingRule = (parcel) => Math.ceil(parcel.scaleWeight * 2) / 2;

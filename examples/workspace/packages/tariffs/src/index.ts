export { getWeight, parseSize, parseWeight } from '@parcel-desk/measures';
export type { Parcel, Size } from '@parcel-desk/measures';
export { scalesOnly, type WeighingRule } from './rule.js';
export { bulkySurcharge, girthLimit, priceOf } from './tariff.js';
export { zoneOf, type Zone } from './zone.js';

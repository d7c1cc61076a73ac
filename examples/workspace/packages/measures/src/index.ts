export * from './parcel.js';
export { cubicDivisor, getWeight, parseWeight, volumetricWeight } from './weight.js';

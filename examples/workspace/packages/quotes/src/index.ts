export { formatPrice, formatQuote } from './format.js';
export { quote, type Quote } from './quote.js';
export { getWeight, parseSize, parseWeight } from '@parcel-desk/tariffs';

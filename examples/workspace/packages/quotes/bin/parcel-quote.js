#!/usr/bin/env node
import { formatQuote, parseSize, parseWeight, quote } from '@parcel-desk/quotes';

const [size, weight, country] = process.argv.slice(2);
if (!size || !weight || !country) {
  console.error('usage: parcel-quote LENGTHxWIDTHxHEIGHT WEIGHT COUNTRY    for example: parcel-quote 60x40x30 2.5kg FR');
  process.exit(2);
}
try {
  console.log(formatQuote(quote({ size: parseSize(size), scaleWeight: parseWeight(weight) }, country)));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bulkySurcharge, getWeight, priceOf, scalesOnly } from '@parcel-desk/tariffs';

const shoebox = { size: { length: 35, width: 22, height: 12 }, scaleWeight: 0.9 };
const pillow = { size: { length: 60, width: 50, height: 20 }, scaleWeight: 1.2 };
const skis = { size: { length: 190, width: 30, height: 30 }, scaleWeight: 8 };

describe('priceOf', () => {
  it('is more for each kilogram after the first', () => {
    assert.equal(priceOf(shoebox, 'domestic'), 559);
  });

  it('bills the volume of a light parcel', () => {
    assert.equal(priceOf(pillow, 'domestic'), 499 + 11 * 60);
    assert.equal(priceOf(pillow, 'domestic', getWeight), priceOf(pillow, 'domestic'));
  });

  it('bills the scales when a contract says so', () => {
    assert.equal(priceOf(pillow, 'domestic', scalesOnly), 559);
  });

  it('is more for farther zones', () => {
    const prices = ['domestic', 'neighbour', 'union', 'world'].map((zone) => priceOf(shoebox, zone));
    assert.deepEqual(prices, prices.toSorted((a, b) => a - b));
  });

  it('adds a surcharge for bulky parcels', () => {
    const compact = { size: { length: 100, width: 38, height: 45 }, scaleWeight: 8 };
    assert.equal(getWeight(compact), getWeight(skis));
    assert.equal(priceOf(skis, 'union') - priceOf(compact, 'union'), bulkySurcharge);
  });

  it('refuses what no carrier takes', () => {
    assert.throws(() => priceOf({ size: { length: 200, width: 60, height: 60 }, scaleWeight: 5 }, 'world'), /440 cm/);
  });
});

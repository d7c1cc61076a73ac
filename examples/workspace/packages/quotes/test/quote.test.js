import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatPrice, formatQuote, getWeight, quote } from '@parcel-desk/quotes';

const pillow = { size: { length: 60, width: 50, height: 20 }, scaleWeight: 1.2 };

describe('quote', () => {
  it('has zone, weight and price', () => {
    assert.deepEqual(quote(pillow, 'FR'), { zone: 'neighbour', weight: 12, price: 2200, rule: 'getWeight/v1' });
  });

  it('bills the weight that carriers bill', () => {
    assert.equal(quote(pillow, 'DE').weight, getWeight(pillow));
  });

  it('names the rule as bookkeeping knows it', () => {
    assert.equal(quote(pillow, 'DE').rule, 'getWeight/v1');
  });

  it('refuses a country nobody knows', () => {
    assert.throws(() => quote(pillow, '??'), RangeError);
  });
});

describe('formatQuote', () => {
  it('is one line for customers', () => {
    assert.equal(formatQuote(quote(pillow, 'FR')), '22.00 EUR for 12 kg (neighbour)');
  });

  it('always has two decimals', () => {
    assert.equal(formatPrice(500), '5.00 EUR');
  });
});

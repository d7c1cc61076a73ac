import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { zoneOf } from '@parcel-desk/tariffs';

describe('zoneOf', () => {
  for (const [country, zone] of [
    ['DE', 'domestic'],
    ['fr', 'neighbour'],
    ['PT', 'union'],
    ['JP', 'world'],
  ]) {
    it(`of ${country} is ${zone}`, () => {
      assert.equal(zoneOf(country), zone);
    });
  }

  it('refuses names of countries', () => {
    assert.throws(() => zoneOf('France'), RangeError);
  });
});

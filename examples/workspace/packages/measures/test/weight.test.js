import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { getWeight, parseWeight, volumetricWeight } from '@parcel-desk/measures';

const shoebox = { length: 35, width: 22, height: 12 };
const pillow = { length: 60, width: 50, height: 20 };

describe('volumetricWeight', () => {
  it('counts 5000 cubic centimetres as a kilogram', () => {
    assert.equal(volumetricWeight(pillow), 12);
  });
});

describe('getWeight', () => {
  it('is the scale weight of a dense parcel', () => {
    assert.equal(getWeight({ size: shoebox, scaleWeight: 4 }), 4);
  });

  it('is the volumetric weight of a light parcel', () => {
    assert.equal(getWeight({ size: pillow, scaleWeight: 1.2 }), 12);
  });

  it('is rounded up to half a kilogram', () => {
    assert.equal(getWeight({ size: shoebox, scaleWeight: 4.1 }), 4.5);
  });
});

describe('parseWeight', () => {
  it('reads kilograms', () => {
    assert.equal(parseWeight('2.5kg'), 2.5);
  });

  it('reads grams', () => {
    assert.equal(parseWeight('800 g'), 0.8);
  });

  it('refuses pounds', () => {
    assert.throws(() => parseWeight('3lb'), RangeError);
  });
});

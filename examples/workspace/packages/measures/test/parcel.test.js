import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { girthLength, parseSize } from '@parcel-desk/measures';

describe('parseSize', () => {
  it('reads centimetres', () => {
    assert.deepEqual(parseSize('60x40x30'), { length: 60, width: 40, height: 30 });
  });

  it('takes a capital X and spaces around', () => {
    assert.deepEqual(parseSize(' 10X20X30 '), { length: 10, width: 20, height: 30 });
  });

  it('refuses two measures', () => {
    assert.throws(() => parseSize('60x40'), RangeError);
  });
});

describe('girthLength', () => {
  it('is the longest side plus the girth around it', () => {
    assert.equal(girthLength({ length: 60, width: 40, height: 30 }), 200);
  });

  it('does not depend on the order of the sides', () => {
    assert.equal(girthLength({ length: 30, width: 60, height: 40 }), 200);
  });
});

import assert from 'node:assert/strict';
import {
  canonicalCapabilityClass,
  capabilityClassSchema,
  combineCapabilityClasses,
  parseCapabilityClass,
} from '../../contracts/capability-class.ts';

describe('capability classes', () => {
  it('have one canonical text, whatever the order, doubles and spaces', () => {
    assert.equal(canonicalCapabilityClass('x64&&linux &&  x64'), 'linux && x64');
    assert.equal(canonicalCapabilityClass('node>=22 && git'), 'git && node>=22');
  });

  it('drop "any" beside a real requirement and keep it alone', () => {
    assert.equal(canonicalCapabilityClass('any && go'), 'go');
    assert.equal(canonicalCapabilityClass('any'), 'any');
    assert.equal(combineCapabilityClasses(undefined, ''), 'any');
    assert.equal(combineCapabilityClasses('go', undefined, 'linux && go'), 'go && linux');
  });

  it('are read into atoms with operator and value', () => {
    assert.deepEqual(parseCapabilityClass('rack=b && go>=1.24 && docker'), [
      { name: 'rack', operator: '=', value: 'b' },
      { name: 'go', operator: '>=', value: '1.24' },
      { name: 'docker' },
    ]);
  });

  it('are refused with the part that is wrong and what is allowed', () => {
    for (const bad of ['', 'linux &&', 'go > 1', 'a || b', '-x']) {
      const parsed = capabilityClassSchema.safeParse(bad);
      assert.equal(parsed.success, false, bad);
      assert.match(parsed.error.issues[0]!.message, /is no capability: write NAME/);
    }
  });
});

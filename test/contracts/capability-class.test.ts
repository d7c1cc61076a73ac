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

  it('have one text for every spelling of a size, a number or a version', () => {
    const spellings: [string, ...string[]][] = [
      ['memory>=8GiB', 'memory >= 8GiB', 'memory>=8192MiB', 'memory>=8589934592B', 'memory>=8gib'],
      ['memory>=1536MiB', 'memory>=1.5GiB'],
      ['disk>20GB', 'disk > 20000MB', 'disk>0.02TB'],
      ['gpu.memory>=16GiB', 'gpu.memory>=16384MiB'],
      ['cpus>=8', 'cpus >= 08'],
      ['go>=1.24', 'go>=1.24.0', 'go >=1.24.0.0'],
      ['node>=10', 'node>=10.0'],
      ['!gpu', '! gpu'],
    ];
    for (const [text, ...others] of spellings)
      for (const other of others) assert.equal(canonicalCapabilityClass(other), text);
    // As a prefix, 22.0 is narrower than 22.
    assert.notEqual(canonicalCapabilityClass('node=22.0'), canonicalCapabilityClass('node=22'));
    assert.notEqual(canonicalCapabilityClass('memory>=8GB'), canonicalCapabilityClass('memory>=8GiB'));
  });

  it('stay the same when their own text is read again', () => {
    for (const text of ['memory>=8GB', 'disk<1536MiB && !docker', 'g++>=12 && gpu>=2', 'memory>=1000000007B'])
      assert.equal(canonicalCapabilityClass(canonicalCapabilityClass(text)), canonicalCapabilityClass(text));
  });

  it('say of a wrong atom what is wrong with it', () => {
    const wrong: Record<string, RegExp> = {
      'linux && memory>=8': /"memory>=8" is no capability: memory is compared with a size such as 8GiB/,
      'memory>=8G': /"memory>=8G" is no capability.*8GiB, 512MiB or 16GB/,
      memory: /"memory" is no capability: say how much, as in memory>=8GiB/,
      '!cpus': /say how many, as in cpus>=4/,
      'cpus>=2.5': /cpus is compared with a whole number/,
      'gpu>=nvidia': /gpu is compared with a whole number/,
      'go>=8GiB': /only memory, disk, gpu.memory have a size, and go has a version/,
      'go>=new': /a version begins with a digit, as in go>=1.2/,
      '!go>=1': /only a name alone can be negated/,
      '!any': /no node could serve it/,
      'memory>=99999999TiB': /compared with a size/,
    };
    for (const [text, message] of Object.entries(wrong)) assert.throws(() => parseCapabilityClass(text), message);
  });

  it('are refused with the part that is wrong and what is allowed', () => {
    for (const bad of ['', 'linux &&', 'go == 1', 'go >', 'a || b', '-x']) {
      const parsed = capabilityClassSchema.safeParse(bad);
      assert.equal(parsed.success, false, bad);
      assert.match(parsed.error.issues[0]!.message, /is no capability: write NAME/);
    }
  });
});

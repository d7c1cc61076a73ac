import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../bin/parcel-quote.js', import.meta.url));
const run = (...args) => spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' });

describe('parcel-quote', () => {
  it('prints a quote', () => {
    const { status, stdout } = run('60x50x20', '1200g', 'FR');
    assert.equal(stdout, '22.00 EUR for 12 kg (neighbour)\n');
    assert.equal(status, 0);
  });

  it('says what is wrong', () => {
    const { status, stderr } = run('60x50', '1200g', 'FR');
    assert.match(stderr, /is no size/);
    assert.equal(status, 1);
  });

  it('says how it is used', () => {
    assert.equal(run().status, 2);
  });
});

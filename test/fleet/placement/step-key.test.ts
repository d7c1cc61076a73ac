import assert from 'node:assert/strict';
import { type StepSpec, stepSpecSchema } from '../../../contracts/step.ts';
import { stepKey } from '../../../fleet/placement/step-key.ts';

const spec = stepSpecSchema.parse({
  project: 'p-1',
  snapshot: 'a'.repeat(40),
  command: { shell: 'make' },
  env: { A: '1', B: '2' },
  layers: [{ name: 'deps', key: 'c'.repeat(64), install: { shell: 'npm ci' }, paths: ['node_modules'] }],
  inputs: ['b'.repeat(40)],
  outputs: ['dist'],
  tools: ['make', 'gcc'],
  class: 'make',
});
const facts = { os: 'linux', arch: 'x64', tools: { make: '4.3', gcc: '12.2', go: '1.26' } };

describe('the cache key of a step', () => {
  it('changes with everything the result may depend on', () => {
    const changed: StepSpec[] = [
      { ...spec, project: 'p-2' },
      { ...spec, snapshot: 'd'.repeat(40) },
      { ...spec, command: { ...spec.command, shell: 'make all' } },
      { ...spec, command: { ...spec.command, cwd: 'sub' } },
      { ...spec, env: { A: '1', B: '3' } },
      { ...spec, layers: [{ ...spec.layers[0]!, key: 'd'.repeat(64) }] },
      { ...spec, inputs: [] },
      { ...spec, outputs: ['dist', 'lib'] },
      { ...spec, tools: ['make'] },
    ];
    const keys = [spec, ...changed].map((each) => stepKey(each, facts));
    keys.push(stepKey(spec, { ...facts, arch: 'arm64' }), stepKey(spec, { ...facts, os: 'darwin' }));
    keys.push(stepKey(spec, { ...facts, tools: { ...facts.tools, gcc: '13.1' } }));
    keys.push(stepKey(spec, { ...facts, libc: { name: 'glibc', version: '2.36' } }));
    keys.push(stepKey(spec, { ...facts, libc: { name: 'musl', version: '1.2.4' } }));
    const unread = { ...facts, tools: { ...facts.tools, gcc: '' } };
    for (const id of ['a', 'b']) keys.push(stepKey(spec, { ...unread, machine: { id, folder: '1:2' } }));
    assert.equal(new Set(keys).size, keys.length);
  });

  it('stays the same under what cannot matter', () => {
    const same: StepSpec[] = [
      { ...spec, env: { B: '2', A: '1' } },
      { ...spec, tools: ['gcc', 'make'] },
      { ...spec, timeoutMs: 1 },
      { ...spec, class: 'linux && make' },
    ];
    for (const each of same) assert.equal(stepKey(each, facts), stepKey(spec, facts));
    assert.equal(stepKey(spec, { ...facts, tools: { ...facts.tools, go: '1.27' } }), stepKey(spec, facts));
    assert.equal(stepKey(spec, { ...facts, machine: { id: 'a', folder: '1:2' } }), stepKey(spec, facts));
  });
});

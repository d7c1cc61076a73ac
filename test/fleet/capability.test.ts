import assert from 'node:assert/strict';
import { parseCapabilityClass } from '../../contracts/capability-class.ts';
import type { NodeFacts } from '../../contracts/node.ts';
import { explainUnserved, satisfies } from '../../fleet/capability.ts';

const facts: NodeFacts = {
  os: 'linux',
  arch: 'x64',
  hostname: 'h',
  cpus: 2,
  memory: 1,
  diskFree: 1,
  tools: { git: '2.39.5', node: '22.9.0', go: '1.26.8', docker: '' },
  gpus: [],
};
const labels = { rack: 'b', controller: 'true' };

describe('a capability class', () => {
  const served = [
    'any',
    'linux && x64',
    'git',
    'docker',
    'node>=22',
    'node>=22.9',
    'node>=9',
    'go>=1.3',
    'node=22',
    'rack=b',
    'rack',
    'controller',
  ];
  const unserved = [
    'darwin',
    'arm64',
    'gpu',
    'node>=22.10',
    'node>=24',
    'node=2',
    'rack=a',
    'docker>=1',
    'cargo',
    'cargo>=1',
    'toString',
  ];

  for (const text of served)
    it(`"${text}" is served`, () => assert.ok(satisfies(facts, labels, parseCapabilityClass(text))));
  for (const text of unserved)
    it(`"${text}" is not served`, () => assert.ok(!satisfies(facts, labels, parseCapabilityClass(text))));

  it('that nobody serves is explained by what each node lacks', () => {
    assert.equal(
      explainUnserved('gpu && linux && node>=24', [{ name: 'one', facts, labels }]),
      'no healthy node serves "gpu && linux && node>=24": one lacks gpu and node>=24 (it has 22.9.0)',
    );
    assert.match(explainUnserved('gpu', []), /no node is registered/);
  });
});

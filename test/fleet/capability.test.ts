import assert from 'node:assert/strict';
import { parseCapabilityClass } from '../../contracts/capability-class.ts';
import type { NodeFacts } from '../../contracts/node.ts';
import { describeClass, explainUnserved, missing, satisfies } from '../../fleet/capability.ts';

const facts: NodeFacts = {
  os: 'linux',
  arch: 'x64',
  hostname: 'h',
  cpus: 2,
  memory: 7.7 * 2 ** 30,
  diskFree: 30 * 2 ** 30,
  kernel: '6.1.0-18-amd64',
  release: { id: 'debian', version: '12', name: 'Debian' },
  libc: { name: 'glibc', version: '2.36' },
  tools: { git: '2.39.5', node: '22.9.0', go: '1.26.8', docker: '' },
  gpus: [
    { vendor: 'nvidia', name: 'Tesla T4', memory: 15 * 2 ** 30 },
    { vendor: 'nvidia', name: 'A100', memory: 40 * 2 ** 30 },
  ],
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
    'memory>=7GiB && memory<8GiB',
    'disk>20GiB',
    'cpus=2',
    'cpus<=2',
    'gpu && gpu=nvidia && gpu>=2',
    'gpu.memory>=40GiB',
    'glibc>=2.31 && libc=glibc',
    'debian>=12',
    'linux>=5.10',
    'go<1.27',
    'node>22.8',
    '!cargo && !darwin',
  ];
  const unserved = [
    'darwin',
    'arm64',
    'gpu>=3',
    'gpu=amd',
    'gpu.memory>41GiB',
    'memory>=8GiB',
    'disk>=1TiB',
    'cpus>2',
    'libc=musl',
    'musl>=1',
    'debian>=13',
    'ubuntu',
    'linux>=6.2',
    'go<1.26',
    'docker<99',
    '!git',
    '!gpu',
    '!rack',
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
      explainUnserved('arm64 && linux && node>=24', [{ name: 'one', facts, labels }]),
      'no healthy node serves "arm64 && linux && node>=24": one lacks arm64 and node>=24 (it has 22.9.0)',
    );
    assert.match(explainUnserved('gpu', []), /no node is registered/);
  });

  it('is explained by who serves it and what the others lack, with what they have instead', () => {
    const text = 'cpus>=2 && docker>=20 && gpu.memory>=80GiB && libc=musl && memory>=8GiB && rack=c && !git';
    const atoms = parseCapabilityClass(text);
    assert.deepEqual(missing({ name: 'one', facts, labels }, atoms), [
      'docker>=20 (it does not say its version)',
      'gpu.memory>=80GiB (it has 40 GiB)',
      'libc=musl (it has glibc)',
      'memory>=8GiB (it has 7.7 GiB)',
      'rack=c (it has rack=b)',
      '!git (it has one)',
    ]);
    const bare = { ...facts, gpus: [] };
    const nodes = [
      { name: 'one', facts, labels, state: 'healthy' },
      { name: 'two', facts: bare, labels, state: 'unreachable', reason: 'no answer' },
      { name: 'three', facts: { ...bare, cpus: 64 }, labels, state: 'healthy' },
    ];
    assert.deepEqual(describeClass('cpus<=8', false, nodes), {
      class: 'cpus<=8',
      asked: false,
      serving: [
        { node: 'one', state: 'healthy' },
        { node: 'two', state: 'unreachable', reason: 'no answer' },
      ],
      others: [{ node: 'three', lacks: ['cpus<=8 (it has 64)'] }],
    });
  });
});

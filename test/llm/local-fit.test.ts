import assert from 'node:assert/strict';
import type { LocalHardware } from '../../contracts/local-model.ts';
import type { NodeRecord } from '../../contracts/node.ts';
import { contextWithin, fit, neededBytes } from '../../llm/local/fit.ts';
import { freeMemory } from '../../llm/local/free-memory.ts';
import { hardwareOfNode, thisMachine } from '../../llm/local/hardware.ts';
import { ggufBytes, quantizationOf } from '../../llm/local/quantization.ts';
import { type Machine, machinesOf, placesFor } from '../../llm/local/machines.ts';
import { knownModels, recommend } from '../../llm/local/recommend.ts';
import { nodeRecord } from '../db/samples.ts';

const GiB = 2 ** 30;
/** Qwen2.5 Coder 7B, as its card and file say. */
const seven = { bytes: 4.68e9, cacheBytesPerToken: 2 * 28 * 4 * 128 * 2, contextTokens: 32_768 };
const laptop = { cpus: 8, memoryBytes: 16 * GiB, unifiedMemory: false };

function machine(hardware: LocalHardware, more: Partial<Machine> = {}): Machine {
  return { node: 'local', isController: true, hardware, load: 0, diskFree: Infinity, ...more };
}

describe('what fits a machine', () => {
  it('counts weights, cache and working memory', () => {
    const cache = seven.cacheBytesPerToken * 32_768;
    assert.ok(cache > 1.8e9 && cache < 1.9e9);
    const needed = neededBytes(seven, 32_768);
    assert.ok(needed > seven.bytes + cache && needed < (seven.bytes + cache) * 1.15);
    const fits = contextWithin(seven, 6e9);
    assert.ok(neededBytes(seven, fits) <= 6e9 && neededBytes(seven, fits + 1) > 6e9);
    assert.equal(contextWithin(seven, 4e9), 0);
    assert.equal(contextWithin(seven, 1e12), seven.contextTokens);
  });

  it('chooses the graphics card when all of it fits there, both when a part does, and says when nothing does', () => {
    assert.equal(fit(seven, laptop).where, 'cpu');
    assert.equal(fit(seven, { ...laptop, gpuMemoryBytes: 24 * GiB }).where, 'gpu');
    assert.equal(fit(seven, { ...laptop, gpuMemoryBytes: 4 * GiB }).where, 'partly-gpu');
    assert.equal(fit(seven, { ...laptop, unifiedMemory: true }).where, 'gpu');
    assert.equal(fit(seven, { ...laptop, memoryBytes: 4 * GiB }).where, 'nowhere');
  });

  it('is as fast as the memory', () => {
    const cpu = fit(seven, laptop).tokensPerSecond;
    const both = fit(seven, { ...laptop, gpuMemoryBytes: 4 * GiB }).tokensPerSecond;
    const gpu = fit(seven, { ...laptop, gpuMemoryBytes: 24 * GiB }).tokensPerSecond;
    assert.ok(3 < cpu && cpu < both && both < gpu && gpu < 150, [cpu, both, gpu].join());
    // A mixture of experts reads a tenth of itself for a token.
    const mixture = fit({ ...seven, activeShare: 0.1 }, laptop).tokensPerSecond;
    assert.ok(Math.abs(mixture / cpu - 10) < 0.2);
  });

  it('tells sizes by parameters and quantization', () => {
    for (const { parameters, quantization, bytes, name } of knownModels) {
      const computed = ggufBytes(parameters, quantization)!;
      // The smallest models keep large vocabularies in more bits, MXFP4 its attention.
      assert.ok(computed / bytes > 0.55 && computed / bytes < 1.15, `${name}: ${computed} for ${bytes}`);
    }
    assert.equal(ggufBytes(1e9, 'Q9_Z'), undefined);
    assert.equal(quantizationOf('a/Qwen3-4B-Q4_K_M.gguf'), 'Q4_K_M');
    assert.equal(quantizationOf('qwen-iq4_xs-00001-of-00002.gguf'), 'IQ4_XS');
    assert.equal(quantizationOf('model.gguf'), undefined);
  });
});

describe('recommendations', () => {
  it('name what fits, the best at a bearable speed first', () => {
    const names = recommend([machine(laptop)]).map(({ name }) => name);
    assert.deepEqual(names.slice(0, 2), ['gpt-oss-20b-mxfp4', 'qwen2.5-coder-7b-instruct-q4_k_m']);
    assert.ok(!names.some((name) => name.includes('120b') || name.includes('30b')));
    // Fits, but answers too slowly to be among the first.
    assert.ok(names.indexOf('qwen2.5-coder-14b-instruct-q4_k_m') > names.indexOf('qwen2.5-coder-0.5b-instruct-q4_k_m'));
  });

  it('know mixtures of experts to be quick on large machines', () => {
    const [first] = recommend([machine({ cpus: 32, memoryBytes: 64 * GiB, unifiedMemory: false })]);
    assert.equal(first?.name, 'qwen3-coder-30b-a3b-instruct-q4_k_m');
    assert.deepEqual(recommend([machine({ cpus: 2, memoryBytes: 2 * GiB, unifiedMemory: false })]), []);
  });

  it('say what is pulled already', () => {
    const there = [{ name: 'qwen2.5-coder-7b-instruct-q4_k_m', node: 'local' }];
    const pulled = recommend([machine(laptop)], there).filter(({ places }) => places[0]!.pulled);
    assert.deepEqual(
      pulled.map(({ name }) => name),
      ['qwen2.5-coder-7b-instruct-q4_k_m'],
    );
  });

  it('take of several machines the fastest that has memory and disk, then the least loaded, then the controller', () => {
    const server = { cpus: 48, memoryBytes: 256 * GiB, unifiedMemory: false };
    const order = (...machines: Machine[]) => placesFor(seven, machines).map((place) => place.machine.node);
    const own = machine(laptop);
    assert.deepEqual(order(own, machine(server, { node: 'big' })), ['big', 'local']);
    assert.deepEqual(order(own, machine(laptop, { node: 'twin' })), ['local', 'twin']);
    assert.deepEqual(order(machine(laptop, { load: 0.5 }), machine(laptop, { node: 'idle' })), ['idle', 'local']);
    assert.deepEqual(order(own, machine(server, { node: 'full', diskFree: 1e9 })), ['local']);
    const tiny = { cpus: 64, memoryBytes: 4 * GiB, unifiedMemory: false };
    assert.deepEqual(order(own, machine(tiny, { node: 'small' })), ['local']);
    const both = recommend([own, machine(server, { node: 'big' })]);
    assert.equal(both[0]!.places[0]!.node, 'big');
    assert.ok(both.some(({ places }) => places.map(({ node }) => node).join() === 'big,local'));
  });

  it('leave out nodes that are not healthy, and count the controller once', async () => {
    const records = [nodeRecord('n1'), nodeRecord('n2', { state: 'unreachable' })];
    const { ssh: _, hostKey: __, ...own } = nodeRecord('home');
    const names = async (nodes: NodeRecord[]) => (await machinesOf(nodes)).map(({ node }) => node);
    assert.deepEqual(await names([own, ...records]), ['home', 'n1']);
    assert.deepEqual(await names(records), ['local', 'n1']);
  });

  it('come for nodes by their facts, and for this machine', async () => {
    const common = { hostname: 'n1', diskFree: 0, tools: {} };
    const mac = { ...common, os: 'darwin', arch: 'arm64', cpus: 10, memory: 32 * GiB };
    const apple = { vendor: 'apple' as const, memory: 32 * GiB };
    assert.deepEqual(hardwareOfNode({ ...mac, gpus: [apple] }), {
      cpus: 10,
      memoryBytes: 32 * GiB,
      unifiedMemory: true,
    });
    const cards = [
      { vendor: 'nvidia' as const, memory: 8 * GiB },
      { vendor: 'nvidia' as const, memory: 24 * GiB },
      { vendor: 'amd' as const },
    ];
    assert.equal(hardwareOfNode({ ...mac, os: 'linux', arch: 'x64', gpus: cards }).gpuMemoryBytes, 24 * GiB);
    const here = await thisMachine();
    assert.ok(here.cpus > 0 && here.memoryBytes > GiB);
    assert.ok(freeMemory() > 0 && freeMemory() <= here.memoryBytes * 1.01);
  });
});

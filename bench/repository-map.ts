import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { JsonValue } from '../contracts/llm.ts';
import { createRepositoryMapper } from '../llm/context/repository-map/repository-map.ts';
import type { MapReader } from '../llm/context/repository-map/source-files.ts';
import type { SymbolStore } from '../llm/context/repository-map/symbol-cache.ts';
import { TokenEstimator } from '../llm/context/tokens.ts';
import type { BenchRow } from './row.ts';

const generatedFiles = 5_000;
const rounds = 20;

/** The map of a generated repository of 5,000 files and of a real one: all files parsed, then from the store by a new process, then again in the same one. */
export async function benchRepositoryMap(): Promise<BenchRow[]> {
  const zod = await filesBelow(fileURLToPath(new URL('../node_modules/zod/src', import.meta.url)));
  return [
    ...(await measure(`${generatedFiles} generated files`, generate())),
    ...(await measure(`the ${zod.size} files of zod`, zod)),
  ];
}

async function measure(what: string, files: ReadonlyMap<string, Buffer>): Promise<BenchRow[]> {
  const store = memoryStore();
  const reader = readerOf(files);
  const estimator = new TokenEstimator('anthropic/claude-sonnet-4-5');
  let round = 0;
  const timed = async (mapper = createRepositoryMapper(store)): Promise<number> => {
    const start = performance.now();
    // Another goal each time: what is ranked and cut is not the same as before.
    await mapper.map(reader, { tokens: 4_000, estimator, text: `Service${round++} fails to parse its options` });
    return performance.now() - start;
  };
  const median = async (run: () => Promise<number>): Promise<number> => {
    const times: number[] = [];
    for (let index = 0; index < rounds; index++) times.push(await run());
    return times.sort((a, b) => a - b)[rounds / 2]!;
  };
  const first = await timed();
  const mapper = createRepositoryMapper(store);
  await timed(mapper);
  return [
    { name: `repository map of ${what}: all parsed`, ours: first / 1000, unit: 's', target: 'seconds' },
    {
      name: `repository map of ${what}: a new process, from the store`,
      ours: await median(() => timed()),
      unit: 'ms',
      target: '<= 1000',
    },
    { name: `repository map of ${what}: again`, ours: await median(() => timed(mapper)), unit: 'ms', target: '<= 100' },
  ];
}

function readerOf(files: ReadonlyMap<string, Buffer>): MapReader {
  const entries = [...files].map(([path, content]) => ({
    path,
    bytes: content.length,
    mode: 'file' as const,
    object: createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex'),
  }));
  return {
    list: () => Promise.resolve(entries),
    readMany: (paths) => Promise.resolve(new Map(paths.map((path) => [path, files.get(path)!] as const))),
  };
}

/** JSON texts, as any store outside the process has them. */
function memoryStore(): SymbolStore {
  const texts = new Map<string, string>();
  return {
    async get(key) {
      const text = texts.get(key);
      return text === undefined ? undefined : (JSON.parse(text) as JsonValue);
    },
    async put(key, value) {
      texts.set(key, JSON.stringify(value));
    },
  };
}

/** Modules of 60 lines that use three others each. */
function generate(): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (let index = 0; index < generatedFiles; index++) {
    const used = [1, 2, 3].map((step) => (index * 7 + step * 131) % generatedFiles);
    const methods = Array.from(
      { length: 8 },
      (_, method) => `  /** Step ${method}. */
  async step${method}(input: Options${index}, value = ${method}): Promise<string> {
    const result = await this.client.request(\`/path/\${value}\`, { body: JSON.stringify(input) });
    if (!result.ok) throw new Error('request failed: ' + result.status);
    return result.items.filter((item) => item.kind === 'x').map((item) => item.name).join(', ');
  }
`,
    );
    const text = `${used.map((other) => `import { createService${other} } from '${'../'.repeat(3)}${pathOf(other)}';`).join('\n')}

export interface Options${index} {
  name: string;
}

export class Service${index} {
  private readonly client = createService${used[0]}();
${methods.join('\n')}}

export function createService${index}(): Service${index} {
  return new Service${index}(createService${used[1]}(), createService${used[2]}());
}
`;
    files.set(pathOf(index), Buffer.from(text));
  }
  return files;
}

function pathOf(index: number): string {
  return `package-${index % 20}/src/folder-${index % 500}/file-${index}.ts`;
}

async function filesBelow(root: string): Promise<Map<string, Buffer>> {
  const entries = (await readdir(root, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const files = new Map<string, Buffer>();
  for (const { parentPath, name } of entries) {
    const path = join(parentPath, name);
    files.set(path.slice(root.length + 1), await readFile(path));
  }
  return files;
}

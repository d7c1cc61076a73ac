import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import type { JsonValue } from '../../contracts/llm.ts';
import { ParserThread } from '../../llm/context/repository-map/parser-thread.ts';
import { createRepositoryMapper } from '../../llm/context/repository-map/repository-map.ts';
import type { MapRequest, RepositoryMap } from '../../llm/context/repository-map/repository-map.ts';
import type { MapReader } from '../../llm/context/repository-map/source-files.ts';
import type { SymbolStore } from '../../llm/context/repository-map/symbol-cache.ts';
import { unpackSymbols } from '../../llm/context/repository-map/symbols.ts';
import { TokenEstimator } from '../../llm/context/tokens.ts';

const estimator = new TokenEstimator('openai/gpt-5');
type Files = Record<string, string>;

function readerOf(files: Files, withObjects = true): MapReader & { read: string[] } {
  const read: string[] = [];
  return {
    read,
    async list() {
      return Object.entries(files).map(([path, text]) => ({
        path,
        bytes: Buffer.byteLength(text),
        mode: 'file' as const,
        ...(withObjects ? { object: objectOf(text) } : {}),
      }));
    },
    async readMany(paths) {
      read.push(...paths);
      return new Map(paths.flatMap((path) => (path in files ? [[path, Buffer.from(files[path]!)] as const] : [])));
    },
  };
}

const objectOf = (text: string): string =>
  createHash('sha1')
    .update(`blob ${Buffer.byteLength(text)}\0${text}`)
    .digest('hex');

/** A store as outside a process: what comes back was JSON. */
function memoryStore(): SymbolStore & { texts: Map<string, string> } {
  const texts = new Map<string, string>();
  return {
    texts,
    async get(key) {
      const text = texts.get(key);
      return text === undefined ? undefined : (JSON.parse(text) as JsonValue);
    },
    async put(key, value) {
      texts.set(key, JSON.stringify(value));
    },
  };
}

function draw(
  files: Files,
  more: Partial<MapRequest> = {},
  store: SymbolStore = memoryStore(),
): Promise<RepositoryMap> {
  return createRepositoryMapper(store).map(readerOf(files), { tokens: 2_000, estimator, ...more });
}

/** Lines of one file in a map. */
function linesOf(map: RepositoryMap, path: string): string[] {
  const lines = map.text.split('\n');
  const start = lines.indexOf(`${path}:`);
  if (start === -1) return [];
  const end = lines.findIndex((line, index) => index > start && !line.startsWith(' '));
  return lines.slice(start + 1, end === -1 ? undefined : end).map((line) => line.trim());
}

const services: Files = {
  'src/app.ts': `import { openStore } from './store.ts';\nimport { Clock } from './clock.ts';\nexport function startApp() { openStore(new Clock()); openStore(new Clock()); }\n`,
  'src/cli.ts': `import { openStore } from './store.js';\nexport const runCli = async (argv: string[]) => { openStore(argv); };\n`,
  'src/report.ts': `import { openStore } from './store';\nexport function printReport() { return openStore(1); }\n`,
  'src/store.ts': `export function openStore(at: unknown): Store { return helper(at); }\nfunction helper(at: unknown) { return at; }\nexport interface Store { read(key: string): string }\n`,
  'src/clock.ts': `export class Clock {\n  now(): number {\n    return 1;\n  }\n}\n`,
  'src/lonely.ts': `export function neverCalled() { return 1; }\n`,
  'test/store.test.ts': `import { openStore } from '../src/store.ts';\nfunction fixture() { return openStore(1); }\nfixture();\n`,
  'README.md': '# services',
};

describe('a repository map', () => {
  it('shows definitions with signatures and lines, methods below their class, in eight languages and more', async () => {
    const cases: [path: string, source: string, lines: string[]][] = [
      [
        'a.ts',
        `export interface Shape<T> { area(scale: number): T }\nexport abstract class Circle extends Base implements Shape<number> {\n  constructor(private readonly radius: number) { super(); }\n  async grow<T>(by: number,\n    { slow }: Options = {}): Promise<void> {}\n}\nexport const make = (n: number): Circle => new Circle(n);\nexport type Id = string;\nexport enum Color { Red }\n`,
        [
          '1 interface Shape<T>',
          '1 area(scale: number): T',
          '2 abstract class Circle extends Base implements Shape<number>',
          '3 constructor(private readonly radius: number)',
          '4 async grow<T>(by: number, { slow }: Options = {}): Promise<void>',
          '7 make = (n: number): Circle',
          '8 type Id = string',
          '9 enum Color',
        ],
      ],
      [
        'a.tsx',
        `export function App({ name }: Props) { return <div>{name}</div>; }\n`,
        ['1 function App({ name }: Props)'],
      ],
      [
        'a.js',
        `exports.parse = function parse(text) {};\nParser.prototype.next = function () {};\nclass Reader { #skip() {} }\n`,
        [
          '1 exports.parse = function parse(text)',
          '2 Parser.prototype.next = function ()',
          '3 class Reader',
          '3 #skip()',
        ],
      ],
      [
        'a.py',
        `MAX = 3\nclass Reader(Base):\n    @property\n    def size(self) -> int:\n        return 1\n@cached\nasync def main(argv: list[str], *, fast=False) -> int:\n    return 0\n`,
        [
          '1 MAX = 3',
          '2 class Reader(Base)',
          '4 def size(self) -> int',
          '7 async def main(argv: list[str], *, fast=False) -> int',
        ],
      ],
      [
        'a.go',
        `package a\ntype Server struct { addr string }\nfunc New(addr string) *Server { return nil }\nfunc (s *Server) Listen(ctx context.Context) error { return nil }\n`,
        [
          '2 Server struct { addr string }',
          '3 func New(addr string) *Server',
          '4 func (s *Server) Listen(ctx context.Context) error',
        ],
      ],
      [
        'a.rs',
        `pub struct Buf<'a> { data: &'a str }\npub trait Read { fn go(&self) -> u32; }\nimpl<'a> Buf<'a> { pub fn new(data: &'a str) -> Self { Buf { data } } }\npub fn run() -> Result<(), Error> { Ok(()) }\n`,
        [
          "1 pub struct Buf<'a>",
          '2 pub trait Read',
          '2 fn go(&self) -> u32',
          "3 impl<'a> Buf<'a>",
          "3 pub fn new(data: &'a str) -> Self",
          '4 pub fn run() -> Result<(), Error>',
        ],
      ],
      [
        'A.java',
        `package x;\npublic class A<T> extends B implements C {\n  public A(int a) {}\n  public List<String> names(int n) throws IOException { return null; }\n}\n`,
        [
          '2 public class A<T> extends B implements C',
          '3 public A(int a)',
          '4 public List<String> names(int n) throws IOException',
        ],
      ],
      [
        'a.c',
        `#define SQUARE(x) ((x) * (x))\ntypedef struct point { int x; } point_t;\nstatic int *find(struct node *n, int v) { return 0; }\nint add(int a, int b);\n`,
        [
          '1 #define SQUARE(x) ((x) * (x))',
          '2 typedef struct point { int x; } point_t',
          '2 struct point',
          '3 static int *find(struct node *n, int v)',
          '4 int add(int a, int b)',
        ],
      ],
      [
        'a.hpp',
        `namespace a {\ntemplate <typename T> class Vec : public Base<T> {\n public:\n  Vec();\n  int size() const;\n};\n}\nint a::Vec::count() { return 1; }\n`,
        ['1 namespace a', '2 class Vec : public Base<T>', '4 Vec()', '5 int size() const', '8 int a::Vec::count()'],
      ],
      [
        'a.cs',
        `namespace A { public class C : D {\n public async Task<int> Go(string s) { return 1; } } }\n`,
        ['1 public class C : D', '2 public async Task<int> Go(string s)'],
      ],
      [
        'a.rb',
        `module M\n  class A < B\n    def go(a, b = 1)\n      a\n    end\n  end\nend\n`,
        ['1 module M', '2 class A < B', '3 def go(a, b = 1)'],
      ],
      [
        'a.php',
        `<?php\nclass B extends C { public function go(int $a): string { return ''; } }\n`,
        ['2 class B extends C', '2 public function go(int $a): string'],
      ],
    ];
    const map = await draw(Object.fromEntries(cases.map(([path, source]) => [path, source])), { tokens: 8_000 });
    for (const [path, , lines] of cases) assert.deepEqual(linesOf(map, path), lines, path);
  });

  it('prefers what much refers to over what nothing refers to', async () => {
    const map = await draw(services, { tokens: 45 });
    assert.ok(linesOf(map, 'src/store.ts').includes('1 function openStore(at: unknown): Store'), map.text);
    assert.ok(!map.text.includes('neverCalled'), map.text);
  });

  it('prefers what the goal names: by identifier, by path, and by words written apart', async () => {
    for (const text of ['fix neverCalled', 'look at src/lonely.ts', 'the lonely module', 'why is it never called?']) {
      const map = await draw(services, { tokens: 45, text });
      assert.deepEqual(linesOf(map, 'src/lonely.ts'), ['1 function neverCalled()'], `${text}: ${map.text}`);
    }
    const map = await draw(services, { tokens: 70, paths: ['src/clock.ts'] });
    assert.deepEqual(linesOf(map, 'src/clock.ts'), ['1 class Clock', '2 now(): number'], map.text);
  });

  it('shows all of a file that is named, also what nothing refers to', async () => {
    const names = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth'];
    const lonely = names.map((name) => `export function ${name}Step() {}\n`).join('');
    const map = await draw({ ...services, 'src/lonely.ts': lonely }, { tokens: 80, text: 'src/lonely.ts is slow' });
    assert.equal(linesOf(map, 'src/lonely.ts').length, 6, map.text);
  });

  it('does not take a parameter for a function of that name in another module', async () => {
    const files: Files = {
      'a.ts': 'function options() { return 1; }\nexport const unused = 1;\noptions();\n',
      'z.ts': 'export function target(a: string) { return a; }\n',
    };
    for (let index = 0; index < 10; index++)
      files[`user-${index}.ts`] =
        `import { target } from './z.ts';\nexport function user${index}(options: string) { return target(options); }\n`;
    const map = await draw(files, { tokens: 25 });
    assert.ok(map.text.includes('target'), map.text);
    assert.ok(!map.text.includes('function options'), map.text);
  });

  it('is never larger than its budget, and fuller with a larger one', async () => {
    const files: Files = {};
    for (let index = 0; index < 150; index++) {
      files[`src/part-${index % 9}/file-${index}.py`] =
        `class Service${index}:\n    def call_${index}(self, other: Service${(index * 7) % 150}) -> None:\n        pass\n`;
    }
    let before = -1;
    const store = memoryStore();
    for (const tokens of [0, 10, 60, 300, 1_500, 50_000]) {
      const map = await draw(files, { tokens }, store);
      assert.ok(map.tokens <= tokens && estimator.text(map.text) <= tokens, `${map.tokens} of ${tokens}`);
      assert.ok(map.definitions >= before);
      before = map.definitions;
    }
    assert.equal(before, 300);
  });

  it('names the files it shows nothing of', async () => {
    const map = await draw(services);
    assert.match(map.text, /Other files:\n: README\.md/);
    assert.equal(map.filesInAll, 8);
  });

  it('is the same whatever was cached before, and parses only what changed', async () => {
    const store = memoryStore();
    const first = await draw(services, {}, store);
    assert.equal(first.parsed, 7);
    const again = await draw(services, {}, store);
    assert.equal(again.parsed, 0);
    assert.equal(again.text, first.text);
    const changed = { ...services, 'src/clock.ts': 'export class Clock2 {}\n' };
    const next = await draw(changed, {}, store);
    assert.equal(next.parsed, 1);
    assert.equal(next.text, (await draw(changed)).text);
    assert.equal((await draw(services, {}, store)).parsed, 0, 'the other branch is still there');
  });

  it('keeps the files of two branches that differ in all of them', async () => {
    const store = memoryStore();
    const branch = (name: string): Files =>
      Object.fromEntries(
        Array.from({ length: 300 }, (_, index) => [`f${index}.go`, `package f\nfunc ${name}${index}() {}\n`]),
      );
    await draw(branch('A'), {}, store);
    assert.equal((await draw(branch('B'), {}, store)).parsed, 300);
    const { parsed } = await draw(branch('A'), {}, store);
    assert.ok(parsed < 100, `${parsed} parsed again`);
    await draw(branch('C'), {}, store);
    const kept = [...store.texts.values()].reduce(
      (sum, text) => sum + Object.keys(JSON.parse(text) as object).length,
      0,
    );
    assert.ok(kept <= 600, `${kept} files are kept`);
  });

  it('reads nothing when all is cached, and asks the store nothing when it was just asked', async () => {
    const store = memoryStore();
    const mapper = createRepositoryMapper(store);
    const reader = readerOf(services);
    await mapper.map(reader, { tokens: 500, estimator });
    reader.read.length = 0;
    store.texts.clear();
    assert.equal((await mapper.map(reader, { tokens: 500, estimator, text: 'clock' })).parsed, 0);
    assert.deepEqual(reader.read, []);
  });

  it('is the same from a reader that knows no object ids', async () => {
    const store = memoryStore();
    const first = await draw(services, {}, store);
    const second = await createRepositoryMapper(store).map(readerOf(services, false), { tokens: 2_000, estimator });
    assert.deepEqual([second.text, second.parsed], [first.text, 0]);
  });

  it('survives stores with nonsense, files that are no code, empty and generated ones', async () => {
    const store = memoryStore();
    for (let index = 0; index < 64; index++) store.texts.set(`map-1-${index}`, index % 2 ? '[1]' : '{"x":[1,2,3]}');
    const files: Files = {
      'broken.ts': 'export function half( { class ]]] `',
      'binary.py': '\0\x01\x02\ufffd'.repeat(1_000),
      'empty.go': '',
      'deep.js': `${'['.repeat(20_000)}${']'.repeat(20_000)}`,
      'huge.ts': `export function inHuge() {}\n${'// filler\n'.repeat(60_000)}`,
      'vendor/lib.ts': 'export function vendored() {}',
      'good.ts': 'export function good() {}',
    };
    const map = await draw(files, {}, store);
    assert.deepEqual(linesOf(map, 'good.ts'), ['1 function good()']);
    assert.ok(!map.text.includes('vendored') && !map.text.includes('inHuge'));
    assert.equal((await draw({})).text, '');
  });

  it('goes without a file on which the parser breaks, and without that file alone', async () => {
    const thread = new ParserThread();
    try {
      const source = 'export function good() {}';
      const answers = await thread.parse([
        { language: 'typescript', source },
        { language: 'no such language', source },
        { language: 'typescript', source },
      ]);
      assert.deepEqual(
        answers.map((answer) => unpackSymbols(answer)!.definitions.map(({ name }) => name)),
        [['good'], [], ['good']],
      );
    } finally {
      await thread.close();
    }
  });

  it('leaves the event loop free while it parses', async () => {
    const files: Files = {};
    for (let index = 0; index < 400; index++) files[`f${index}.ts`] = `export function f${index}() {}\n`.repeat(30);
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 1);
    await draw(files);
    clearInterval(timer);
    assert.ok(turns > 20, `${turns} turns`);
  });

  it('of this repository shows the contracts before the tests', async () => {
    const root = new URL('../../', import.meta.url);
    const files: Files = {};
    for (const folder of ['contracts', 'blobs', 'llm/routing', 'llm/reasoning', 'test/llm']) {
      for (const entry of await readdir(new URL(folder, root), { withFileTypes: true })) {
        if (entry.isFile())
          files[`${folder}/${entry.name}`] = await readFile(new URL(`${folder}/${entry.name}`, root), 'utf8');
      }
    }
    const map = await draw(files, { tokens: 1_500 });
    assert.ok(
      linesOf(map, 'contracts/error.ts').some((line) => line.includes('class HelixError')),
      map.text,
    );
    assert.ok(!/^test\/.*:$/m.test(map.text.split('Other files:')[0]!), map.text);
  });
});

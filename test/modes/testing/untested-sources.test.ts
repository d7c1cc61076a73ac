import assert from 'node:assert/strict';
import { untestedSources } from '../../../modes/testing/untested-sources.ts';

const of = (paths: string[], texts: Record<string, string> = {}): Promise<string[]> =>
  untestedSources(paths, (path) => Promise.resolve(texts[path] ?? ''));

describe('changes without tests', () => {
  it('are the sources among them, not documents, settings or declarations', async () => {
    assert.deepEqual(await of(['README.md', 'lib/a.js', 'package.json', 'index.d.ts', 'src/main.go']), [
      'lib/a.js',
      'src/main.go',
    ]);
    assert.deepEqual(await of(['README.md', 'tsconfig.json']), []);
  });

  it('are none where a test changed with them, wherever projects keep theirs', async () => {
    const tests = [
      'test/a.js',
      'packages/x/__tests__/a.tsx',
      'src/a.test.ts',
      'src/a.spec.mjs',
      'a_test.go',
      'tests/test_a.py',
      'pkg/test_a.py',
      'src/test/java/org/ATest.java',
      'spec/a_spec.rb',
      'ParserTests.cs',
    ];
    for (const test of tests) assert.deepEqual(await of(['lib/a.js', test]), [], test);
  });

  it('are not hidden by names that only look alike', async () => {
    for (const path of ['src/contest.ts', 'lib/latest.js', 'attest/a.py', 'src/testify.go'])
      assert.deepEqual(await of([path]), [path]);
  });

  it('are none where Rust has its tests in the source', async () => {
    const paths = ['src/lib.rs'];
    assert.deepEqual(await of(paths), paths);
    assert.deepEqual(await of(paths, { 'src/lib.rs': '#[cfg(test)]\nmod tests {\n  #[test]\n  fn a() {}\n}' }), []);
  });
});

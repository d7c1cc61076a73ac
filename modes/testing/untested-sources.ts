const sources =
  /\.(ts|tsx|mts|cts|js|jsx|mjs|cjs|vue|svelte|go|rs|py|java|kt|scala|groovy|c|cc|cpp|cxx|h|hpp|cs|fs|rb|php|swift|dart|ex|hs|lua|zig)$/;
const testFolder = /(^|\/)(tests?|__tests__|specs?|testing|testdata|e2e)\//i;
const testName =
  /(^|\/)(test[_-][^/]*|tests?|conftest|[^/]*([._-](test|spec)s?|[a-z0-9](Test|Tests|TestCase|Spec|IT)))\.[^/]+$/;

/**
 * The sources among changed files, when there is no test among them; none when there is one. `read` gives the text of a file: in Rust the tests
 * stand in the sources.
 */
export async function untestedSources(
  paths: readonly string[],
  read: (path: string) => Promise<string>,
): Promise<string[]> {
  const isTest = (path: string): boolean => testFolder.test(path) || testName.test(path);
  const changed = paths.filter((path) => sources.test(path) && !/\.d\.ts$/.test(path));
  if (paths.some(isTest)) return [];
  for (const path of changed) if (path.endsWith('.rs') && (await read(path)).includes('#[test]')) return [];
  return changed;
}

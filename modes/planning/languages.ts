import { posix } from 'node:path';
import type { Plan } from '../../contracts/plan.ts';
import { isVendored } from './nested.ts';
import { compare } from './source-tree.ts';
import type { SourceTree } from './source-tree.ts';

const languagesByExtension: Record<string, string> = {
  ts: 'TypeScript',
  tsx: 'TypeScript',
  mts: 'TypeScript',
  cts: 'TypeScript',
  js: 'JavaScript',
  jsx: 'JavaScript',
  mjs: 'JavaScript',
  cjs: 'JavaScript',
  go: 'Go',
  rs: 'Rust',
  py: 'Python',
  pyi: 'Python',
  pyx: 'Cython',
  java: 'Java',
  kt: 'Kotlin',
  kts: 'Kotlin',
  groovy: 'Groovy',
  gradle: 'Groovy',
  scala: 'Scala',
  c: 'C',
  h: 'C',
  cc: 'C++',
  cpp: 'C++',
  cxx: 'C++',
  hpp: 'C++',
  hh: 'C++',
  hxx: 'C++',
  cs: 'C#',
  fs: 'F#',
  rb: 'Ruby',
  php: 'PHP',
  swift: 'Swift',
  m: 'Objective-C',
  lua: 'Lua',
  pl: 'Perl',
  sh: 'Shell',
  bash: 'Shell',
  sql: 'SQL',
  html: 'HTML',
  css: 'CSS',
  scss: 'SCSS',
  less: 'Less',
  vue: 'Vue',
  svelte: 'Svelte',
  dart: 'Dart',
  ex: 'Elixir',
  exs: 'Elixir',
  erl: 'Erlang',
  hs: 'Haskell',
  zig: 'Zig',
  proto: 'Protocol Buffers',
  graphql: 'GraphQL',
  tf: 'Terraform',
  cmake: 'CMake',
  md: 'Markdown',
  rst: 'reStructuredText',
};

const languagesByName: Record<string, string> = {
  Makefile: 'Make',
  GNUmakefile: 'Make',
  'CMakeLists.txt': 'CMake',
  Dockerfile: 'Dockerfile',
};

/** Lines are counted up to this many bytes of sources; the rest is estimated from the language's bytes per line. */
const countedBytes = 64 * 1024 * 1024;
const largestCountedFile = 1024 * 1024;
const filesPerRead = 500;

/** Languages by size, vendored folders left out. `estimated` says that not every file's lines were counted. */
export async function measureLanguages(
  tree: SourceTree,
): Promise<{ languages: Plan['languages']; estimated: boolean }> {
  const byLanguage = new Map<string, { files: number; bytes: number; lines: number; countedBytes: number }>();
  const toCount: { path: string; language: string; bytes: number }[] = [];
  let budget = countedBytes;
  let estimated = false;
  for (const { path, bytes, mode } of tree.entries) {
    const language = languageOf(path);
    if (!language || mode === 'symlink' || isVendored(path)) continue;
    const sum = byLanguage.get(language) ?? { files: 0, bytes: 0, lines: 0, countedBytes: 0 };
    byLanguage.set(language, { ...sum, files: sum.files + 1, bytes: sum.bytes + bytes });
    if (bytes <= largestCountedFile && bytes <= budget) {
      budget -= bytes;
      toCount.push({ path, language, bytes });
    } else estimated = true;
  }
  for (let start = 0; start < toCount.length; start += filesPerRead) {
    const batch = toCount.slice(start, start + filesPerRead);
    const contents = await tree.readOnce(batch.map((file) => file.path));
    for (const { path, language } of batch) {
      const content = contents.get(path);
      const sum = byLanguage.get(language);
      if (!content || !sum) continue;
      sum.lines += countLines(content);
      sum.countedBytes += content.length;
    }
  }
  const languages = [...byLanguage].map(([name, { files, bytes, lines, countedBytes: counted }]) => ({
    name,
    files,
    bytes,
    lines: counted > 0 && counted < bytes ? Math.round((lines * bytes) / counted) : lines,
  }));
  languages.sort((a, b) => b.bytes - a.bytes || compare(a.name, b.name));
  return { languages, estimated };
}

function languageOf(path: string): string | undefined {
  const name = posix.basename(path);
  return languagesByName[name] ?? languagesByExtension[posix.extname(name).slice(1).toLowerCase()];
}

function countLines(content: Buffer): number {
  let lines = 0;
  for (let at = content.indexOf(10); at >= 0; at = content.indexOf(10, at + 1)) lines += 1;
  return content.length > 0 && content[content.length - 1] !== 10 ? lines + 1 : lines;
}

import { createRequire } from 'node:module';
import { parentPort } from 'node:worker_threads';
import treeSitter from '@vscode/tree-sitter-wasm';
import type { Parser } from '@vscode/tree-sitter-wasm';
import { extractSymbols } from './extract.ts';
import { languageNamed } from './languages.ts';
import { noSymbols, packSymbols } from './symbols.ts';

/** A file for the worker; its answer is one packed FileSymbols per file, in order. */
export interface ParseJob {
  language: string;
  source: string;
}

const { resolve } = createRequire(import.meta.url);
const parsers = new Map<string, Promise<Parser>>();
let ready: Promise<void> | undefined;

async function load(grammar: string): Promise<Parser> {
  await (ready ??= treeSitter.Parser.init());
  const parser = new treeSitter.Parser();
  parser.setLanguage(
    await treeSitter.Language.load(resolve(`@vscode/tree-sitter-wasm/wasm/tree-sitter-${grammar}.wasm`)),
  );
  return parser;
}

async function parse({ language: name, source }: ParseJob): Promise<unknown> {
  const language = languageNamed(name);
  if (!parsers.has(language.grammar)) parsers.set(language.grammar, load(language.grammar));
  const tree = (await parsers.get(language.grammar)!).parse(source);
  if (!tree) return packSymbols(noSymbols);
  try {
    return packSymbols(extractSymbols(tree, source, language));
  } finally {
    tree.delete();
  }
}

parentPort!.on('message', (jobs: ParseJob[]) => {
  void (async () => {
    const answers: unknown[] = [];
    for (const job of jobs) answers.push(await parse(job));
    parentPort!.postMessage(answers, []);
  })();
});

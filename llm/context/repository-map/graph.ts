import { setImmediate } from 'node:timers/promises';
import { ImportResolver } from './imports.ts';
import { languageNamed } from './languages.ts';
import { isTestPath } from './source-files.ts';
import type { SourceFile } from './source-files.ts';
import type { Definition, FileSymbols } from './symbols.ts';
import { plainName } from './words.ts';

/** Who refers to whom. The edges of file `i` are those from `starts[i]` to before `starts[i + 1]`; their weights sum up to 1. */
export interface ReferenceGraph {
  starts: Int32Array;
  targets: Int32Array;
  weights: Float64Array;
  /** Of each edge what is referred to: a name in a file, numbered; -1 for an import as such. */
  labels: Int32Array;
  /** The numbers of the names of each file. */
  labelOf: readonly ReadonlyMap<string, number>[];
  labelCount: number;
  /** Files that define a name, by name, also what only they can name. */
  definers: ReadonlyMap<string, readonly number[]>;
  /** The names of `definers` by how they look as plain words. */
  namesByWord: ReadonlyMap<string, readonly string[]>;
}

/** A name that more files define than this says nothing about where it comes from. */
const mostDefiners = 12;
const importWeight = 2;
/** A name counts for more where its file is imported as well, and for less where other files are. */
const importedFactor = 8;
const notImportedFactor = 0.15;
/** Tests define little that others mean. */
const testFactor = 0.1;
const filesBetweenPauses = 250;

export async function buildGraph(
  files: readonly SourceFile[],
  symbols: readonly FileSymbols[],
): Promise<ReferenceGraph> {
  const definers = definersOf(symbols, () => true);
  const targetsOf = referenceTargets(files, symbols);
  const labelOf = files.map(() => new Map<string, number>());
  let labelCount = 0;
  const isTest = files.map(({ path }) => isTestPath(path));
  const resolver = new ImportResolver(files);
  const starts = new Int32Array(files.length + 1);
  const targets: number[] = [];
  const weights: number[] = [];
  const labels: number[] = [];

  const edge = (target: number, weight: number, label: number): void => {
    targets.push(target);
    weights.push(weight);
    labels.push(label);
  };
  for (const [from, { references, imports }] of symbols.entries()) {
    if (from % filesBetweenPauses === 0) await setImmediate();
    starts[from] = targets.length;
    const imported = new Set<number>();
    for (const specifier of imports) {
      const target = resolver.resolve(files[from]!, specifier);
      if (target !== undefined && target !== from) imported.add(target);
    }
    for (const target of imported) edge(target, importWeight, -1);
    const withImports = imported.size > 0;
    for (const [name, count] of references) {
      const bare = name.startsWith('.') ? name.slice(1) : name;
      const others = targetsOf(name, from);
      for (const target of others) {
        const labels = labelOf[target]!;
        let label = labels.get(bare);
        if (label === undefined) labels.set(bare, (label = labelCount++));
        const near = imported.has(target) ? importedFactor : withImports ? notImportedFactor : 1;
        const weight = Math.sqrt(count) * specificity(bare) * near * (isTest[target] ? testFactor : 1);
        edge(target, weight / others.length, label);
      }
    }
  }
  starts[files.length] = targets.length;
  return {
    starts,
    targets: Int32Array.from(targets),
    weights: normalised(starts, weights),
    labels: Int32Array.from(labels),
    labelOf,
    labelCount,
    definers,
    namesByWord: namesByWord(definers.keys()),
  };
}

/** Finds the files that a reference may mean: of a member those with such a method, otherwise those with such a name at their top. */
function referenceTargets(
  files: readonly SourceFile[],
  symbols: readonly FileSymbols[],
): (name: string, from: number) => readonly number[] {
  const families = files.map(({ language }) => (language ? languageNamed(language).family : ''));
  const own = definersOf(symbols, () => true);
  const plain = definersOf(symbols, ({ kind, local }) => kind !== 'method' && !local);
  const methods = definersOf(symbols, ({ kind }) => kind === 'method');
  return (name, from) => {
    const isMember = name.startsWith('.');
    const bare = isMember ? name.slice(1) : name;
    // A name the file defines itself most likely means its own.
    if (own.get(bare)?.includes(from)) return [];
    // Elsewhere than in ECMAScript what follows a dot is as often a function of a module.
    const where = !isMember ? plain.get(bare) : families[from] === 'ecmascript' ? methods.get(bare) : own.get(bare);
    if (!where || where.length > mostDefiners) return [];
    return where.filter((target) => families[target] === families[from]);
  };
}

function definersOf(
  symbols: readonly FileSymbols[],
  counts: (definition: Definition) => boolean,
): Map<string, number[]> {
  const definers = new Map<string, number[]>();
  for (const [index, { definitions }] of symbols.entries()) {
    for (const definition of definitions) {
      if (!counts(definition)) continue;
      const files = definers.get(definition.name);
      if (!files) definers.set(definition.name, [index]);
      else if (files.at(-1) !== index) files.push(index);
    }
  }
  return definers;
}

function namesByWord(names: Iterable<string>): Map<string, string[]> {
  const byWord = new Map<string, string[]>();
  for (const name of names) {
    if (name.length < 4) continue;
    const word = plainName(name);
    const same = byWord.get(word);
    if (same) same.push(name);
    else byWord.set(word, [name]);
  }
  return byWord;
}

/** Long names made of several words are rarely chance; one short word is. */
function specificity(name: string): number {
  if (name.startsWith('_')) return 0.3;
  const words = /[a-z][A-Z]|_[a-zA-Z]/.test(name) ? 2 : /^[a-z]/.test(name) ? 0.4 : 1;
  return words * (name.length >= 8 ? 1.5 : name.length <= 4 ? 0.5 : 1);
}

function normalised(starts: Int32Array, weights: number[]): Float64Array {
  const result = Float64Array.from(weights);
  for (let file = 0; file + 1 < starts.length; file++) {
    let sum = 0;
    for (let index = starts[file]!; index < starts[file + 1]!; index++) sum += result[index]!;
    for (let index = starts[file]!; index < starts[file + 1]!; index++) result[index]! /= sum;
  }
  return result;
}

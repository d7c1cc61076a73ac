import type { Ecosystem, PackageInfo } from '../../../contracts/plan.ts';
import type { Layer } from '../../../contracts/step.ts';
import type { SourceTree } from '../source-tree.ts';

/** One ecosystem: finds its packages in the sources and says what is to be run for them. */
export interface Detector {
  ecosystem: Ecosystem;
  /** File names worth reading before `detect` runs, in one go. */
  manifests: readonly string[];
  detect(tree: SourceTree, context: DetectContext): Promise<Detection>;
}

export interface DetectContext {
  /** The user's variables, given to every step. */
  env: Record<string, string>;
  /** Folders in which an earlier detector found a package. */
  claimed: ReadonlySet<string>;
}

export interface Detection {
  packages: DraftPackage[];
  tasks: DraftTask[];
  notes: string[];
}

/** A package before names are made unique; packages refer to each other by folder. */
export interface DraftPackage extends Omit<PackageInfo, 'dependsOn' | 'files' | 'bytes'> {
  dependsOn: string[];
}

/** A task before ids are given out; tasks refer to each other by `taskKey`. */
export interface DraftTask {
  kind: 'install' | 'build' | 'test' | 'check';
  /** The package's folder, or the root folder of tasks for a whole workspace. */
  folder: string;
  /** False for a task of a whole workspace, which belongs to no single package. */
  ofPackage: boolean;
  title: string;
  shell: string;
  /** Defaults to the folder. */
  cwd?: string;
  env?: Record<string, string>;
  layers?: Layer[];
  needs: string[];
  outputs?: string[];
  tools: string[];
}

export function taskKey(kind: DraftTask['kind'], folder: string): string {
  return `${kind}@${folder}`;
}

/** How a folder is called in titles. */
export function folderTitle(folder: string): string {
  return folder === '.' ? 'the project' : folder;
}

/** Quotes a word for a POSIX shell where it needs it. */
export function shellQuote(word: string): string {
  return /^[A-Za-z0-9_./:=@%^+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

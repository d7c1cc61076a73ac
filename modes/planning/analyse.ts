import { posix } from 'node:path';
import type { PackageInfo, Plan } from '../../contracts/plan.ts';
import type { DraftPackage } from './detectors/detector.ts';
import { detectors } from './detectors/registry.ts';
import { finishTasks } from './finish-tasks.ts';
import type { Found } from './finish-tasks.ts';
import { measureLanguages } from './languages.ts';
import { readingSmallOnesWhole, type SourceReader } from './source-reader.ts';
import { compare, isInside, SourceTree } from './source-tree.ts';

/**
 * Reads the sources of a snapshot and says what they are and what is to be run. The same snapshot and options give the same plan, byte
 * for byte. A plan without tasks means that nothing here can be built or tested; its notes say what was looked for.
 */
export async function analyse(
  reader: SourceReader,
  options: { env: Record<string, string>; nodeClass?: string },
): Promise<Plan> {
  const tree = await SourceTree.open(readingSmallOnesWhole(reader));
  const manifests = new Set(detectors.flatMap((detector) => detector.manifests));
  await tree.load(tree.entries.map((entry) => entry.path).filter((path) => manifests.has(posix.basename(path))));

  const found: Found[] = [];
  const claimed = new Set<string>();
  for (const detector of detectors) {
    const detection = await detector.detect(tree, { env: options.env, claimed });
    for (const { path } of detection.packages) claimed.add(path);
    found.push({ ecosystem: detector.ecosystem, ...detection });
  }

  const names = uniqueNames(found.flatMap((part) => part.packages));
  const drafts = [...names.keys()];
  const packages = drafts.map((draft) => packageInfo(draft, names, tree));
  packages.sort((a, b) => compare(a.path, b.path) || compare(a.ecosystem, b.ecosystem));
  const tasks = finishTasks(found, names, options);
  const { languages, estimated } = await measureLanguages(tree);
  const notes = found.flatMap((part) => part.notes);
  if (tasks.length === 0) notes.unshift(nothingToDo(packages));
  if (estimated)
    notes.push('Files over 1 MiB and sources beyond 64 MiB in all were not read: their lines are estimated');
  return {
    languages,
    packages,
    tasks,
    classes: [...new Set(tasks.map((task) => task.class))].sort(compare),
    files: tree.entries.length,
    bytes: tree.entries.reduce((sum, entry) => sum + entry.bytes, 0),
    notes,
  };
}

/** The manifest's name, or the folder where two packages share one; the ecosystem tells two packages of one folder apart. */
function uniqueNames(packages: DraftPackage[]): Map<DraftPackage, string> {
  const names = new Map<DraftPackage, string>();
  const taken = new Set<string>();
  for (const draft of packages) {
    const alone = packages.filter((other) => other.name === draft.name).length === 1;
    const plain = alone || draft.path === '.' ? draft.name : draft.path;
    const name = taken.has(plain) ? `${plain} (${draft.ecosystem})` : plain;
    taken.add(name);
    names.set(draft, name);
  }
  return names;
}

function packageInfo(draft: DraftPackage, names: Map<DraftPackage, string>, tree: SourceTree): PackageInfo {
  const others = [...names.keys()].filter((other) => other !== draft);
  const inner = others.filter((other) => other.path !== draft.path && isInside(other.path, draft.path));
  const own = tree.entriesBelow(draft.path).filter((entry) => !inner.some((other) => isInside(entry.path, other.path)));
  const dependsOn = others.filter(
    (other) => other.ecosystem === draft.ecosystem && draft.dependsOn.includes(other.path),
  );
  return {
    ...draft,
    name: names.get(draft) ?? draft.name,
    dependsOn: dependsOn.map((other) => names.get(other) ?? other.name).sort(compare),
    files: own.length,
    bytes: own.reduce((sum, entry) => sum + entry.bytes, 0),
  };
}

function nothingToDo(packages: PackageInfo[]): string {
  if (packages.length > 0) return 'Nothing to build or test: the packages found have no build and no tests';
  return `Nothing to build or test: no manifest was found (looked for ${detectors.map((detector) => detector.manifests[0]).join(', ')})`;
}

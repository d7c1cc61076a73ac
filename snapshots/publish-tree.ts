import { createHash } from 'node:crypto';
import { git } from './git.ts';
import type { IndexEntry } from './git-index.ts';
import { readObjects } from './objects.ts';
import type { Place } from './objects.ts';
import { decodePath, splitRecords } from './paths.ts';
import { editTree, readTreeNames } from './tree-names.ts';
import type { TreeNames } from './tree-names.ts';

/*
 * A snapshot holds a working tree as it is; a commit holds what git makes of one: submodules are links, line ends may be other ones,
 * large files may be pointers. What the job did not touch goes into its commits as the base has it.
 */

/** An entry of the base that the source snapshot holds in another form. */
interface Counterpart {
  base: IndexEntry;
  /** The form in the snapshot; undefined for a submodule, which is a folder there or nothing. */
  source: string | undefined;
}

/** The trees to commit for the snapshots' trees `roots`, the first of which is the source as imported from the commit of `baseTree`. */
export async function asCommitted(place: Place, scratch: string, baseTree: string, roots: string[]): Promise<string[]> {
  const first = roots[0];
  if (first === undefined || first === baseTree) return roots;
  const counterparts = await findCounterparts(place, baseTree, first);
  if (counterparts.length === 0) return roots;
  const source = await readTreeNames(place, first);
  const trees: string[] = [];
  for (const root of roots) {
    const names = root === first ? source : await readTreeNames(place, root);
    const kept = counterparts.filter((one) => isUntouched(one, source, names));
    trees.push(
      await editTree(
        place,
        scratch,
        root,
        kept.map((one) => one.base),
      ),
    );
  }
  return trees;
}

function isUntouched({ base, source }: Counterpart, before: TreeNames, now: TreeNames): boolean {
  if (source !== undefined) return now.files.get(base.path)?.object === source;
  return filesBelow(before, base.path) === filesBelow(now, base.path);
}

function filesBelow(names: TreeNames, path: string): string {
  const below = [...names.files.values()].filter((entry) => entry.path === path || entry.path.startsWith(`${path}/`));
  return below.map((entry) => `${entry.mode} ${entry.object} ${entry.path}`).join('\0');
}

async function findCounterparts(place: Place, baseTree: string, first: string): Promise<Counterpart[]> {
  const records = splitRecords(await git(['diff-tree', '-r', '-z', '--no-renames', baseTree, first], place));
  const found: Counterpart[] = [];
  const changed: { base: IndexEntry; source: string }[] = [];
  for (let at = 0; at + 1 < records.length; at += 2) {
    const [oldMode, mode, oldObject, object] = records[at]!.toString('latin1').slice(1).split(' ');
    const base = { mode: oldMode!, object: oldObject!, path: decodePath(records[at + 1]!) };
    if (oldMode === '160000') found.push({ base, source: undefined });
    else if (oldMode === mode && mode !== '120000') changed.push({ base, source: object! });
  }
  // In portions, so that large files are not all in memory at once.
  for (let at = 0; at < changed.length; at += 50) {
    const part = changed.slice(at, at + 50);
    const objects = await readObjects(
      place,
      part.flatMap((one) => [one.base.object, one.source]),
    );
    part.forEach((one, index) => {
      const [stored, present] = [objects[index * 2]?.body, objects[index * 2 + 1]?.body];
      if (stored && present && isSameToGit(stored, present)) found.push(one);
    });
  }
  return found;
}

/** Whether `present` is what a checkout of `stored` gives with other line ends, or with the large file its pointer names. */
function isSameToGit(stored: Buffer, present: Buffer): boolean {
  const pointer = /^version https:\/\/git-lfs\.github\.com\/spec\/v1\n(?:.*\n)*?oid sha256:([0-9a-f]{64})\n/.exec(
    stored.toString('latin1', 0, 1024),
  );
  if (pointer) return createHash('sha256').update(present).digest('hex') === pointer[1];
  return (
    present.length > stored.length && present.toString('latin1').replaceAll('\r\n', '\n') === stored.toString('latin1')
  );
}

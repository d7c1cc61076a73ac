import type { SnapshotId } from '../contracts/snapshot.ts';
import type { SnapshotStore } from './store.ts';

// As `mergeSnapshots` names the sides; git adds the path where the file has another one there.
const markers = [/^<{7} ours(:.*)?\r?$/, /^={7}\r?$/, /^>{7} theirs(:.*)?\r?$/];
const mostPlaces = 50;

/**
 * Lines of files that look like the markers of a merge, as `path:line`. A file about merges, or with a heading underlined by seven signs, had such lines
 * before: as many as both sides of the merge had together do not count.
 */
export async function leftMarkers(
  store: SnapshotStore,
  search: { snapshot: SnapshotId; ours: SnapshotId; theirs: SnapshotId; paths: string[] },
): Promise<string[]> {
  const { snapshot, paths } = search;
  const [now, ...before] = await Promise.all(
    [snapshot, search.ours, search.theirs].map((id) => store.readMany(id, paths)),
  );
  const found = paths.flatMap((path) =>
    markers.flatMap((marker) => {
      const lines = matching(now!.get(path), marker);
      const known = before.reduce((sum, side) => sum + matching(side.get(path), marker).length, 0);
      return lines.length > known ? lines.map((line) => ({ path, line })) : [];
    }),
  );
  const order = new Map(paths.map((path, index) => [path, index]));
  found.sort((a, b) => order.get(a.path)! - order.get(b.path)! || a.line - b.line);
  return found.slice(0, mostPlaces).map(({ path, line }) => `${path}:${line}`);
}

/** Numbers of the lines, from 1. */
function matching(content: Buffer | undefined, marker: RegExp): number[] {
  if (!content) return [];
  return content
    .toString('latin1')
    .split('\n')
    .flatMap((line, index) => (marker.test(line) ? [index + 1] : []));
}

/**
 * The candidates most like `name`, the nearest first, for "did you mean": those at most a third of the longer name's letters away, and those
 * that contain the name or are contained in it; with `edits`, only those at most so many letters away. Upper and lower case are alike.
 */
export function nearestNames(
  name: string,
  candidates: readonly string[],
  { limit = 3, edits }: { limit?: number; edits?: number } = {},
): string[] {
  const wanted = name.toLowerCase();
  return [...new Set(candidates)]
    .map((candidate) => {
      const other = candidate.toLowerCase();
      const contained = wanted.length >= 3 && other.length >= 3 && (other.includes(wanted) || wanted.includes(other));
      const distance = editDistance(wanted, other);
      const alike = contained || distance <= Math.max(wanted.length, other.length) / 3;
      return { candidate, distance, near: edits === undefined ? alike : distance <= edits };
    })
    .filter(({ near }) => near)
    .sort((a, b) => a.distance - b.distance || a.candidate.localeCompare(b.candidate))
    .slice(0, limit)
    .map(({ candidate }) => candidate);
}

/** Levenshtein distance. */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const replaced = previous[column - 1]! + (from[row - 1] === to[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, previous[column]! + 1, current[column - 1]! + 1));
    }
    previous = current;
  }
  return previous[to.length]!;
}

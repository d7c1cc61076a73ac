const mostLines = 10_000;
const mostComparisons = 50_000;
const longestCompared = 300;
const shownAround = 2;

/** Says where in a text the lines are that come nearest to some other lines, and how they differ. */
export function nearestLines(content: string, wanted: string): string {
  const lines = content.split(/\r?\n/);
  const sought = wanted.replace(/^\n+|\n+$/g, '').split(/\r?\n/);
  if (lines.length > mostLines) return 'Read the file again for its exact text.';
  const squeezed = lines.map(squeeze);
  const target = sought.slice(0, Math.max(1, Math.floor(mostComparisons / lines.length))).map(squeeze);
  const telling = target.filter((line) => line.length > 2);
  let best = { at: -1, score: 0 };
  for (let at = 0; at < lines.length; at += 1) {
    let score = 0;
    target.forEach((line, index) => {
      const other = squeezed[at + index];
      if (other === undefined || line.length <= 2) return;
      score += other === line ? 1 : likeness(other, line);
    });
    if (score > best.score) best = { at, score };
  }
  if (best.at < 0 || best.score < telling.length * 0.4)
    return 'No lines in it are near to that: read the file again for its exact text.';
  const isSpacing = target.every((line, index) => squeezed[best.at + index] === line);
  const from = Math.max(0, best.at - shownAround);
  const shown = lines.slice(from, best.at + Math.min(sought.length, 20) + shownAround);
  const reason = isSpacing ? 'Only spaces or indentation differ' : 'The nearest lines';
  return `${reason}, from line ${best.at + 1}:\n${shown.map((line, index) => `${from + index + 1}\t${line}`).join('\n')}`;
}

function squeeze(line: string): string {
  return line.slice(0, longestCompared).trim().replace(/\s+/g, ' ');
}

/** The share of pairs of neighbouring characters that two lines have in common. */
function likeness(left: string, right: string): number {
  if (Math.abs(left.length - right.length) > Math.max(left.length, right.length) / 2) return 0;
  const pairs = new Map<string, number>();
  for (let at = 0; at + 1 < left.length; at += 1) {
    const pair = left.slice(at, at + 2);
    pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
  }
  let shared = 0;
  for (let at = 0; at + 1 < right.length; at += 1) {
    const pair = right.slice(at, at + 2);
    const left = pairs.get(pair) ?? 0;
    if (left === 0) continue;
    pairs.set(pair, left - 1);
    shared += 1;
  }
  const score = (2 * shared) / Math.max(1, left.length + right.length - 2);
  return score < 0.6 ? 0 : score * 0.9;
}

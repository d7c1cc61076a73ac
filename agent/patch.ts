import { HelixError } from '../contracts/error.ts';

/** A run of lines to find and what to put in their place. */
export interface Hunk {
  /** Line of the old file the patch says it begins at, from 1; undefined where it does not say. */
  line: number | undefined;
  /** Words of a line that stands somewhere before it. */
  anchor: string | undefined;
  before: string[];
  after: string[];
  /** Whether the old and the new file end here without a line break. */
  endsOpen: { before: boolean; after: boolean };
}

export type FilePatch =
  | { type: 'add'; path: string; lines: string[]; executable: boolean; endsInNewline: boolean }
  | { type: 'delete'; path: string }
  | { type: 'update'; path: string; to: string | undefined; hunks: Hunk[] };

/**
 * Reads a patch: a unified diff as git prints it (the numbers of lines may be wrong or missing), or the form
 *
 *     *** Begin Patch
 *     *** Update File: a.txt      followed by hunks: `@@` and lines that begin with space, `-` or `+`
 *     *** Move to: b.txt          (directly after Update File)
 *     *** Add File: c.txt         followed by lines that begin with `+`
 *     *** Delete File: d.txt
 *     *** End Patch
 *
 * Throws HelixError `usage.invalid` that names the line at fault.
 */
export function parsePatch(patch: string): FilePatch[] {
  const lines = patch.replace(/\r\n/g, '\n').split('\n');
  const files = lines.some((line) => /^\*\*\* (Begin Patch|(Update|Add|Delete) File: )/.test(line))
    ? new PatchReader(lines).sections()
    : new PatchReader(lines).unified();
  if (files.length === 0) {
    throw bad(
      'it names no file: give a unified diff with "--- a/path" and "+++ b/path", or "*** Begin Patch" with "*** Update File: path"',
    );
  }
  return files;
}

class PatchReader {
  readonly #lines: string[];
  #at = 0;

  constructor(lines: string[]) {
    this.#lines = lines;
  }

  sections(): FilePatch[] {
    const files: FilePatch[] = [];
    for (; this.#at < this.#lines.length;) {
      const line = this.#lines[this.#at]!;
      this.#at += 1;
      const match = /^\*\*\* (Update|Add|Delete) File: (.+?)\s*$/.exec(line);
      if (/^\*\*\* (Begin|End) Patch/.test(line) || line.trim() === '') continue;
      if (!match) throw this.#unexpected('"*** Update File: path", "*** Add File: path" or "*** Delete File: path"');
      const path = match[2]!;
      if (match[1] === 'Delete') files.push({ type: 'delete', path });
      else if (match[1] === 'Add') {
        files.push({ type: 'add', path, lines: this.#added(), executable: false, endsInNewline: true });
      } else {
        const move = /^\*\*\* Move to: (.+?)\s*$/.exec(this.#lines[this.#at] ?? '');
        if (move) this.#at += 1;
        files.push({ type: 'update', path, to: move?.[1], hunks: this.#hunks(/^\*\*\* (?!End of File)/) });
      }
    }
    return files;
  }

  unified(): FilePatch[] {
    const files: FilePatch[] = [];
    let header: UnifiedHeader = {};
    for (; this.#at < this.#lines.length;) {
      const line = this.#lines[this.#at]!;
      this.#at += 1;
      const git = /^diff --git "?a\/(.+?)"? "?b\/(.+?)"?$/.exec(line);
      if (git) {
        if (header.git) files.push(this.#file(header, []));
        header = { git: [git[1]!, git[2]!] };
      } else if (line.startsWith('--- ')) {
        const next = this.#lines[this.#at] ?? '';
        if (!next.startsWith('+++ ')) throw this.#unexpected('"+++ b/path" after "--- a/path"');
        this.#at += 1;
        header = { ...header, old: fileName(line), young: fileName(next) };
        files.push(this.#file(header, this.#hunks(/^(diff --git |--- .*)/)));
        header = {};
      } else if (/^GIT binary patch|^Binary files /.test(line))
        throw bad('binary files cannot be patched: use "write" for text');
      else if (/^(new|deleted) file mode (120000|160000)|^new mode (120000|160000)/.test(line)) {
        throw bad('symbolic links and submodules cannot be made by a patch');
      } else if (/^(new file mode|new mode) 100755/.test(line)) header.executable = true;
      else if (line.startsWith('new file mode')) header.isNew = true;
      else if (line.startsWith('deleted file mode')) header.isDeleted = true;
      else if (line.startsWith('rename to ')) header.renamedTo = line.slice('rename to '.length);
      else if (line.startsWith('@@')) throw this.#unexpected('"--- a/path" and "+++ b/path" before the first hunk');
    }
    if (header.git) files.push(this.#file(header, []));
    return files;
  }

  #file(header: UnifiedHeader, hunks: Hunk[]): FilePatch {
    const [gitOld, gitYoung] = header.git ?? [];
    const old = header.old === undefined ? (header.isNew ? null : gitOld) : header.old;
    const young = header.young === undefined ? (header.isDeleted ? null : gitYoung) : header.young;
    if (young === null && old) return { type: 'delete', path: old };
    if (old === null && young) {
      const lines = hunks.flatMap((hunk) => hunk.after);
      const endsInNewline = !hunks.some((hunk) => hunk.endsOpen.after);
      return { type: 'add', path: young, lines, executable: header.executable ?? false, endsInNewline };
    }
    if (!old || !young) throw bad('a file has no name in it');
    const to = header.renamedTo ?? (young === old ? undefined : young);
    return { type: 'update', path: old, to, hunks };
  }

  #added(): string[] {
    const lines: string[] = [];
    for (; this.#at < this.#lines.length && !this.#lines[this.#at]!.startsWith('*** '); this.#at += 1) {
      const line = this.#lines[this.#at]!;
      if (line.startsWith('+')) lines.push(line.slice(1));
      else if (line !== '') throw this.#unexpected('lines of a new file that begin with "+"', 0);
    }
    return lines;
  }

  #hunks(end: RegExp): Hunk[] {
    const hunks: Hunk[] = [];
    let hunk: Hunk | undefined;
    for (; this.#at < this.#lines.length; this.#at += 1) {
      const line = this.#lines[this.#at]!;
      // A removed line may look like the header of the next file.
      if (end.test(line) && !(line.startsWith('--- ') && !(this.#lines[this.#at + 1] ?? '').startsWith('+++ '))) break;
      const header = /^@@(?: -(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@)?(.*)$/.exec(line);
      if (header) {
        const anchor = header[2]!.replace(/@@\s*$/, '').trim();
        hunk = newHunk(header[1] ? Number(header[1]) : undefined, header[1] || !anchor ? undefined : anchor);
        hunks.push(hunk);
        continue;
      }
      if (line.startsWith('\\')) {
        const last = this.#lines[this.#at - 1] ?? '';
        if (hunk && !last.startsWith('+')) hunk.endsOpen.before = true;
        if (hunk && !last.startsWith('-')) hunk.endsOpen.after = true;
        continue;
      }
      if (line.startsWith('*** End of File')) continue;
      if (line === '' && this.#at >= this.#lines.length - 1) continue;
      if (!hunk) {
        if (!/^[ +-]/.test(line)) {
          if (line.trim() === '') continue;
          throw this.#unexpected('"@@" or a line that begins with space, "-" or "+"', 0);
        }
        hunk = newHunk();
        hunks.push(hunk);
      }
      const kind = line === '' ? ' ' : line[0]!;
      if (!/[ +-]/.test(kind)) throw this.#unexpected('a line that begins with space, "-" or "+"', 0);
      if (kind !== '+') hunk.before.push(line.slice(1));
      if (kind !== '-') hunk.after.push(line.slice(1));
    }
    return hunks.filter(({ before, after }) => before.length + after.length > 0);
  }

  #unexpected(expected: string, back = 1): HelixError {
    const at = this.#at - back;
    return bad(`line ${at + 1} is ${JSON.stringify((this.#lines[at] ?? '').slice(0, 200))}, expected ${expected}`);
  }
}

function newHunk(line?: number, anchor?: string): Hunk {
  return { line, anchor, before: [], after: [], endsOpen: { before: false, after: false } };
}

interface UnifiedHeader {
  git?: [string, string];
  old?: string | null;
  young?: string | null;
  isNew?: boolean;
  isDeleted?: boolean;
  executable?: boolean;
  renamedTo?: string;
}

/** Null for /dev/null. */
function fileName(line: string): string | null {
  const name = line
    .slice(4)
    .replace(/\t.*$/, '')
    .trim()
    .replace(/^"(.*)"$/, '$1');
  return name === '/dev/null' ? null : name.replace(/^[ab]\//, '');
}

function bad(problem: string): HelixError {
  return new HelixError('usage.invalid', `the patch cannot be read: ${problem}`);
}

/** Applies hunks to a file's text. Throws HelixError `usage.invalid` when the lines of one are not there, or are more than once. */
export function applyHunks(path: string, content: string, hunks: Hunk[]): string {
  const isCrlf = content.includes('\r\n');
  const lines = (isCrlf ? content.replaceAll('\r\n', '\n') : content).split('\n');
  let from = 0;
  let shift = 0;
  for (const [index, hunk] of hunks.entries()) {
    const at = place(lines, hunk, from, shift);
    if (typeof at === 'string') {
      const lost = hunk.before.slice(0, 6).join('\n');
      throw new HelixError(
        'usage.invalid',
        `hunk ${index + 1} for ${path} does not fit: ${at}. It looks for:\n${lost}`,
      );
    }
    lines.splice(at, hunk.before.length, ...hunk.after);
    from = at + hunk.after.length;
    shift += hunk.after.length - hunk.before.length;
  }
  const open = hunks.at(-1)?.endsOpen;
  if (open?.before && !open.after && lines.at(-1) !== '') lines.push('');
  if (open?.after && !open.before && lines.at(-1) === '') lines.pop();
  const text = lines.join('\n');
  return isCrlf ? text.replaceAll('\n', '\r\n') : text;
}

/** Where a hunk belongs, as an index; a sentence when nowhere or in several places. */
function place(lines: string[], hunk: Hunk, from: number, shift: number): number | string {
  const anchor =
    hunk.anchor === undefined ? undefined : lines.findIndex((line, at) => at >= from && line.includes(hunk.anchor!));
  if (anchor === -1) return `there is no line with ${JSON.stringify(hunk.anchor)}`;
  const start = anchor === undefined ? from : anchor;
  const wanted = hunk.line === undefined ? undefined : Math.max(0, hunk.line - 1 + shift);
  if (hunk.before.length === 0) {
    // With no lines to find, git's line number is the line it goes behind.
    if (wanted !== undefined && wanted < lines.length) return lines.length === 1 && lines[0] === '' ? 0 : wanted + 1;
    if (anchor !== undefined) return anchor + 1;
    return lines.at(-1) === '' ? lines.length - 1 : lines.length;
  }
  for (const same of [isSame, isSameButEnd]) {
    const found: number[] = [];
    for (let at = start; at + hunk.before.length <= lines.length; at += 1) {
      if (hunk.before.every((line, index) => same(lines[at + index]!, line))) found.push(at);
    }
    if (wanted !== undefined && found.length > 0) {
      return found.reduce((best, at) => (Math.abs(at - wanted) < Math.abs(best - wanted) ? at : best));
    }
    if (found.length === 1 || (found.length > 1 && anchor !== undefined)) return found[0]!;
    if (found.length > 1)
      return `its lines are ${found.length} times in the file (lines ${found
        .slice(0, 9)
        .map((at) => at + 1)
        .join(', ')}): give more lines around them`;
  }
  return 'its lines are not in the file, or not behind those of the hunk before it';
}

function isSame(left: string, right: string): boolean {
  return left === right;
}

function isSameButEnd(left: string, right: string): boolean {
  return left.trimEnd() === right.trimEnd();
}

/** Replaces the characters from `start` up to `end` by `text`. */
export interface TextEdit {
  start: number;
  end: number;
  text: string;
}

/** Applies edits that do not overlap; at one place insertions come first, in the order given. */
export function applyEdits(text: string, edits: TextEdit[]): string {
  const ordered = edits
    .map((edit, order) => ({ ...edit, order }))
    .sort((a, b) => a.start - b.start || Number(a.end > a.start) - Number(b.end > b.start) || a.order - b.order);
  let result = '';
  let at = 0;
  for (const edit of ordered) {
    if (edit.start < at) throw new Error(`edits overlap at ${edit.start}`);
    result += text.slice(at, edit.start) + edit.text;
    at = edit.end;
  }
  return result + text.slice(at);
}

/** The line ending most lines of a text have. */
export function lineEnding(text: string): '\r\n' | '\n' {
  const crlf = text.split('\r\n').length - 1;
  return crlf > (text.split('\n').length - 1) / 2 ? '\r\n' : '\n';
}

/** The same edits by file. */
export class EditsByFile {
  readonly #edits = new Map<string, TextEdit[]>();

  add(path: string, edit: TextEdit): void {
    const edits = this.#edits.get(path);
    if (edits) edits.push(edit);
    else this.#edits.set(path, [edit]);
  }

  get size(): number {
    return [...this.#edits.values()].reduce((sum, edits) => sum + edits.length, 0);
  }

  of(path: string): TextEdit[] {
    return this.#edits.get(path) ?? [];
  }

  /** New contents by path. */
  apply(read: (path: string) => string | undefined): Map<string, string> {
    return new Map([...this.#edits].map(([path, edits]) => [path, applyEdits(read(path) ?? '', edits)]));
  }
}

/** Takes away blank lines at the start that the text before the edits did not have. */
export function withoutBlankStart(text: string, before: string): string {
  return /^\s/.test(before) ? text : text.replace(/^(?:[ \t]*\r?\n)+/, '');
}

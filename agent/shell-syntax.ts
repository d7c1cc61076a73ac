/** A word of a shell command, without its quotes. */
export interface ShellWord {
  /** What the program is given, where `isLiteral`; otherwise with the expansions as they are written. */
  text: string;
  /** No variable, substitution or brace is expanded in it. */
  isLiteral: boolean;
  /** `*`, `?` or `[` outside quotes: it stands for the files it matches. */
  hasGlob: boolean;
}

export interface SimpleCommand {
  /** `NAME=value` before the program. */
  assignments: string[];
  words: ShellWord[];
  reads: ShellWord[];
  writes: ShellWord[];
}

export interface ParsedShell {
  /** In order, those of substitutions and subshells too. */
  commands: SimpleCommand[];
  /** Whether nothing but these commands can run, with exactly these words. */
  isCertain: boolean;
}

const longestCommand = 50_000;
const deepestNesting = 16;

/** Takes a command for a POSIX shell apart. Never throws: what is not understood makes the result uncertain. */
export function parseShell(text: string): ParsedShell {
  const found: ParsedShell = { commands: [], isCertain: true };
  if (text.length > longestCommand || text.includes('\0')) return { commands: [], isCertain: false };
  new ShellReader(text, found, 0).list();
  return found;
}

const openers = new Set(['if', 'then', 'elif', 'else', 'while', 'until', 'do', '!', '{', 'time']);
const closers = new Set(['fi', 'done', '}']);
const unsupported = new Set(['for', 'case', 'esac', 'select', 'function', 'coproc', '[[', 'alias']);

class ShellReader {
  readonly #text: string;
  readonly #found: ParsedShell;
  readonly #depth: number;
  #at = 0;
  #command: SimpleCommand = newCommand();
  #hereDocuments: { end: string; isQuoted: boolean; tabs: boolean }[] = [];

  constructor(text: string, found: ParsedShell, depth: number) {
    this.#text = text;
    this.#found = found;
    this.#depth = depth;
    if (depth > deepestNesting) {
      this.#doubt();
      this.#at = text.length;
    }
  }

  /** Reads commands up to the end of the text or to a closing parenthesis, and returns where it stopped. */
  list(closing = false): number {
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at]!;
      if (character === ')' && closing) break;
      if (character === '\n') {
        this.#at += 1;
        this.#finish();
        this.#skipHereDocuments();
      } else if (/[ \t]/.test(character)) this.#at += 1;
      else if (this.#text.startsWith('\\\n', this.#at)) this.#at += 2;
      else if (character === '#') this.#skipComment();
      else if (this.#redirect()) continue;
      else if (/[;&|]/.test(character)) {
        this.#at += 1;
        this.#finish();
      } else if (character === '(') this.#subshell();
      else if (character === ')') {
        this.#doubt();
        this.#at += 1;
      } else this.#addWord(this.#word());
    }
    if (this.#hereDocuments.length > 0) this.#doubt();
    this.#finish();
    return this.#at;
  }

  #doubt(): void {
    this.#found.isCertain = false;
  }

  #finish(): void {
    const command = this.#command;
    this.#command = newCommand();
    const isEmpty = command.words.length + command.assignments.length + command.reads.length + command.writes.length;
    if (isEmpty > 0) this.#found.commands.push(command);
  }

  #skipComment(): void {
    const end = this.#text.indexOf('\n', this.#at);
    this.#at = end < 0 ? this.#text.length : end;
  }

  #subshell(): void {
    // After a word it defines a function or fills an array.
    if (this.#command.words.length + this.#command.assignments.length > 0) this.#doubt();
    this.#at += 1;
    this.#nested();
  }

  /** Reads the commands up to the closing parenthesis, and goes behind it. */
  #nested(): void {
    const inner = new ShellReader(this.#text.slice(this.#at), this.#found, this.#depth + 1);
    this.#at += inner.list(true);
    if (this.#text[this.#at] === ')') this.#at += 1;
    else this.#doubt();
  }

  #addWord(word: ShellWord): void {
    const { words, assignments } = this.#command;
    if (words.length === 0) {
      if (word.isLiteral && openers.has(word.text)) return;
      if (word.isLiteral && closers.has(word.text)) return;
      if (unsupported.has(word.text)) this.#doubt();
      if (/^[A-Za-z_]\w*\+?=/.test(word.text)) {
        if (!word.isLiteral) this.#doubt();
        assignments.push(word.text);
        return;
      }
      if (word.hasGlob && word.text !== '[') this.#doubt();
    }
    if (!word.isLiteral) this.#doubt();
    words.push(word);
  }

  /** Reads a redirection; false when there is none here. */
  #redirect(): boolean {
    const match = /^(?:\d*(>>|>\||>&|>|<<<|<<-|<<|<>|<&|<)|(&>>|&>))/.exec(this.#text.slice(this.#at, this.#at + 16));
    if (!match) return false;
    const operator = match[1] ?? match[2]!;
    this.#at += match[0].length;
    if (/^[<>]$/.test(operator) && this.#text[this.#at] === '(') {
      this.#doubt();
      this.#at += 1;
      this.#nested();
      return true;
    }
    while (/[ \t]/.test(this.#text[this.#at] ?? '')) this.#at += 1;
    const start = this.#at;
    const target = this.#word();
    if (this.#at === start) {
      this.#doubt();
      return true;
    }
    if (operator.startsWith('<<')) {
      const isQuoted = /['"\\]/.test(this.#text.slice(start, this.#at));
      if (operator !== '<<<') this.#hereDocuments.push({ end: target.text, isQuoted, tabs: operator === '<<-' });
      if (!target.isLiteral) this.#doubt();
      return true;
    }
    if (operator.endsWith('&') && /^(\d+|-)$/.test(target.text)) return true;
    if (!target.isLiteral || target.hasGlob) this.#doubt();
    if (operator.includes('>')) this.#command.writes.push(target);
    else this.#command.reads.push(target);
    return true;
  }

  #skipHereDocuments(): void {
    for (const { end, isQuoted, tabs } of this.#hereDocuments) {
      for (let ended = false; !ended;) {
        if (this.#at >= this.#text.length) {
          this.#doubt();
          break;
        }
        const lineEnd = this.#text.indexOf('\n', this.#at);
        const line = this.#text.slice(this.#at, lineEnd < 0 ? undefined : lineEnd);
        this.#at = lineEnd < 0 ? this.#text.length : lineEnd + 1;
        ended = (tabs ? line.replace(/^\t+/, '') : line) === end;
        if (!ended && !isQuoted && /[$`]/.test(line)) {
          this.#doubt();
          this.#substitutionsIn(line);
        }
      }
    }
    this.#hereDocuments = [];
  }

  #word(): ShellWord {
    const word: ShellWord = { text: '', isLiteral: true, hasGlob: false };
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at]!;
      if (/[ \t\n;&|()<>]/.test(character)) break;
      this.#at += 1;
      if (character === "'") this.#singleQuoted(word);
      else if (character === '"') this.#doubleQuoted(word);
      else if (character === '\\') this.#escaped(word);
      else if (character === '$' || character === '`') this.#expansion(word, character);
      else {
        if (/[*?[]/.test(character)) word.hasGlob = true;
        word.text += character;
        if (character === '}' && /\{[^{}]*(,|\.\.)[^{}]*\}$/.test(word.text)) word.isLiteral = false;
      }
    }
    return word;
  }

  #escaped(word: ShellWord): void {
    const next = this.#text[this.#at];
    if (next === undefined) this.#doubt();
    else if (next !== '\n') word.text += next;
    this.#at += 1;
  }

  #singleQuoted(word: ShellWord): void {
    const end = this.#text.indexOf("'", this.#at);
    word.text += this.#text.slice(this.#at, end < 0 ? undefined : end);
    if (end < 0) this.#doubt();
    this.#at = end < 0 ? this.#text.length : end + 1;
  }

  #doubleQuoted(word: ShellWord): void {
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at]!;
      this.#at += 1;
      if (character === '"') return;
      if (character === '\\' && /["$`\\\n]/.test(this.#text[this.#at] ?? '')) this.#escaped(word);
      else if (character === '$' || character === '`') this.#expansion(word, character);
      else word.text += character;
    }
    this.#doubt();
  }

  #expansion(word: ShellWord, character: string): void {
    const start = this.#at - 1;
    const next = this.#text[this.#at] ?? '';
    if (character === '`') this.#backquoted();
    else if (next === '(') {
      this.#at += 1;
      this.#nested();
    } else if (next === '{') {
      const end = this.#text.indexOf('}', this.#at);
      const inner = this.#text.slice(this.#at + 1, end < 0 ? undefined : end);
      this.#at = end < 0 ? this.#text.length : end + 1;
      this.#substitutionsIn(inner);
    } else if (/[\w@*#?$!'"-]/.test(next)) {
      // `$'…'` decodes escapes, `$name` is a variable: neither is known here. The quote is read as one of its own.
      if (!/['"]/.test(next)) this.#at += /^\w+|^./.exec(this.#text.slice(this.#at, this.#at + 200))![0].length;
    } else {
      word.text += character;
      return;
    }
    word.isLiteral = false;
    word.text += this.#text.slice(start, this.#at);
  }

  #backquoted(): void {
    let inner = '';
    for (;;) {
      const character = this.#text[this.#at];
      this.#at += 1;
      if (character === undefined) return this.#doubt();
      if (character === '`') break;
      if (character === '\\' && /[`\\$]/.test(this.#text[this.#at] ?? '')) {
        inner += this.#text[this.#at];
        this.#at += 1;
      } else inner += character;
    }
    new ShellReader(inner, this.#found, this.#depth + 1).list();
  }

  /** Reads the substitutions in text that is itself no command. */
  #substitutionsIn(text: string): void {
    for (const { index } of text.matchAll(/\$\(|`/g)) {
      const inner = new ShellReader(text.slice(index + (text[index] === '`' ? 1 : 2)), this.#found, this.#depth + 1);
      inner.list(true);
    }
  }
}

function newCommand(): SimpleCommand {
  return { assignments: [], words: [], reads: [], writes: [] };
}

import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { redactText } from '../../observability/redact.ts';

const keptFiles = 3;
const longestLine = 64 * 1024;

/** A log file that starts afresh at a size: `<path>.1` is the one before, up to `.3`. */
export class RotatingLog {
  readonly #path: string;
  readonly #limitBytes: number;
  #size: number;
  #fd: number;

  constructor(path: string, limitBytes = 10 * 1024 * 1024) {
    mkdirSync(dirname(path), { recursive: true });
    this.#path = path;
    this.#limitBytes = limitBytes;
    this.#fd = openSync(path, 'a', 0o600);
    this.#size = fstatSync(this.#fd).size;
  }

  write(text: string): void {
    if (this.#size > 0 && this.#size + Buffer.byteLength(text) > this.#limitBytes) this.#rotate();
    this.#size += writeSync(this.#fd, text);
  }

  close(): void {
    closeSync(this.#fd);
  }

  #rotate(): void {
    closeSync(this.#fd);
    for (let number = keptFiles - 1; number >= 1; number--) {
      if (existsSync(`${this.#path}.${number}`)) renameSync(`${this.#path}.${number}`, `${this.#path}.${number + 1}`);
    }
    renameSync(this.#path, `${this.#path}.1`);
    this.#fd = openSync(this.#path, 'a', 0o600);
    this.#size = 0;
  }
}

/**
 * Carries a process's output from the file it writes itself to its log of JSON lines. A file rather than a pipe, because the
 * process must outlive a killed supervisor, and a broken pipe ends it at its next line.
 */
export class LogPump {
  readonly rawPath: string;
  readonly #name: string;
  readonly #log: RotatingLog;
  readonly #positionPath: string;
  #position: number;
  #decoder = new StringDecoder('utf8');
  #rest = '';
  /** The last lines as plain text, for the reason of a failure. */
  #recent: string[] = [];

  constructor(folder: string, name: string, limitBytes?: number) {
    this.#name = name;
    this.#log = new RotatingLog(join(folder, `${name}.log`), limitBytes);
    mkdirSync(join(folder, 'raw'), { recursive: true });
    this.rawPath = join(folder, 'raw', name);
    this.#positionPath = `${this.rawPath}.position`;
    this.#position = existsSync(this.#positionPath) ? Number(readFileSync(this.#positionPath, 'utf8')) || 0 : 0;
  }

  /** Moves what has been written since the last call. */
  pump(): void {
    if (!existsSync(this.rawPath)) return;
    const fd = openSync(this.rawPath, 'r+');
    try {
      if (fstatSync(fd).size < this.#position) this.#position = 0;
      const before = this.#position;
      const buffer = Buffer.alloc(longestLine);
      for (let read = 1; read > 0;) {
        read = readSync(fd, buffer, 0, buffer.length, this.#position);
        this.#position += read;
        this.#take(this.#decoder.write(buffer.subarray(0, read)));
      }
      // The writer appends, so that the file may be emptied under it once all is read. Seldom, because a line written between
      // the two calls is lost.
      if (this.#position > 1024 * 1024 && fstatSync(fd).size === this.#position) {
        ftruncateSync(fd, 0);
        this.#position = 0;
      }
      if (this.#position !== before) writeFileSync(this.#positionPath, String(this.#position));
    } finally {
      closeSync(fd);
    }
  }

  /** Forgets earlier lines, so that `reason` speaks of what comes now. */
  startAfresh(): void {
    this.pump();
    this.#recent = [];
  }

  /** The line that best says why the process ended: the last one that speaks of an error, else the last one. */
  reason(): string | undefined {
    this.pump();
    // Indented lines are stack frames, source excerpts and causes.
    const lines = this.#recent.filter((line) => !/^\s|^Node\.js v/.test(line));
    return lines.findLast((line) => /\b(fatal|panic|error)\b|Error\b/i.test(line)) ?? lines.at(-1);
  }

  close(): void {
    this.pump();
    if (this.#rest !== '') this.#line(this.#rest);
    this.#rest = '';
    this.#log.close();
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    if (this.#rest.length > longestLine) {
      lines.push(this.#rest);
      this.#rest = '';
    }
    for (const line of lines) this.#line(line);
  }

  #line(raw: string): void {
    const line = redactText(raw.trimEnd());
    if (line === '') return;
    const json = asJsonObject(line);
    this.#recent.push(json ? messageOf(json, line) : line);
    if (this.#recent.length > 40) this.#recent.shift();
    this.#log.write(
      `${json ? line : JSON.stringify({ level: levelOf(line), time: new Date().toISOString(), name: this.#name, msg: line })}\n`,
    );
  }
}

function asJsonObject(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** The words of a JSON line, with the error it carries (pino and the Temporal server each have their way). */
function messageOf(json: Record<string, unknown>, line: string): string {
  const carried = json['err'] ?? json['error'];
  const error = typeof carried === 'object' && carried !== null && 'message' in carried ? carried.message : carried;
  const words = [json['msg'], error].filter((part) => typeof part === 'string' && part !== '');
  const label = /^(error|fatal)$/i.test(String(json['level'])) ? 'error: ' : '';
  return words.length > 0 ? `${label}${words.join(': ')}` : line;
}

function levelOf(line: string): string {
  if (/\b(FATAL|PANIC|panic:)/.test(line)) return 'fatal';
  if (/\bERROR\b|Error:/.test(line)) return 'error';
  return /\bWARN(ING)?\b/.test(line) ? 'warn' : 'info';
}

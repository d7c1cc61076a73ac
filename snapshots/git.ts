import { spawn } from 'node:child_process';
import { delimiter } from 'node:path';
import { Readable } from 'node:stream';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { HelixError } from '../contracts/error.ts';

export interface GitOptions {
  gitDir?: string;
  workTree?: string;
  indexFile?: string;
  cwd?: string;
  /** Where objects are written, when not into the objects of `gitDir`. */
  objectDir?: string;
  /** Further object folders to read from. */
  alternates?: string[];
  /** Config for this call alone, e.g. `{ 'http.lowSpeedTime': '30' }`. */
  config?: Record<string, string>;
  env?: Record<string, string>;
  input?: Buffer | string | Readable;
  /** Receives stdout as it comes; `stdout` of the result is then empty. */
  output?: Writable;
  /** Called with each line of stderr as it comes. */
  onLine?: (line: string) => void;
  signal?: AbortSignal;
}

export interface GitResult {
  exitCode: number;
  stdout: Buffer;
  stderr: string;
}

/** git said no: its own words are in the message. */
export class GitError extends HelixError {
  readonly stderr: string;

  constructor(args: string[], result: GitResult) {
    const reason = gitReason(result.stderr) || `exit code ${result.exitCode}`;
    super('internal', `git ${args[0]} failed: ${reason}`, { details: { args, exitCode: result.exitCode } });
    this.stderr = result.stderr;
  }
}

// Nothing of the user's or the system's configuration may take part, and no configuration of a repository may start a program.
const fixedConfig = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.attributesFile=/dev/null',
  'core.excludesFile=/dev/null',
  'core.logAllRefUpdates=false',
  'core.pager=cat',
  'gc.auto=0',
  'maintenance.auto=false',
  // A snapshot is the same on every system: links and modes stay what it says, where the file system cannot hold them.
  ...(process.platform === 'win32'
    ? [
        'core.autocrlf=false',
        'core.symlinks=false',
        'core.fileMode=false',
        'core.longpaths=true',
        'core.protectNTFS=true',
      ]
    : []),
].flatMap((setting) => ['-c', setting]);

// Git knows it by this name on Windows, too, and not by Windows's own.
const devNull = '/dev/null';

const fixedEnvironment = {
  LC_ALL: 'C',
  // Git before 2.32 does not know GIT_CONFIG_GLOBAL and looks below HOME and XDG_CONFIG_HOME.
  HOME: devNull,
  XDG_CONFIG_HOME: devNull,
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: devNull,
  GIT_ATTR_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
  GIT_NO_REPLACE_OBJECTS: '1',
  // A partial clone would otherwise fetch what is missing, with the commands its own configuration names.
  GIT_NO_LAZY_FETCH: '1',
  GIT_ALLOW_PROTOCOL: 'none',
  GIT_LITERAL_PATHSPECS: '1',
  GIT_AUTHOR_NAME: 'HelixCode',
  GIT_AUTHOR_EMAIL: 'helixcode@localhost',
  GIT_AUTHOR_DATE: '@0 +0000',
  GIT_COMMITTER_NAME: 'HelixCode',
  GIT_COMMITTER_EMAIL: 'helixcode@localhost',
  GIT_COMMITTER_DATE: '@0 +0000',
};

function environment(options: GitOptions): Record<string, string> {
  const env: Record<string, string> = { ...fixedEnvironment };
  for (const name of ['PATH', 'TMPDIR', 'LD_LIBRARY_PATH', 'GIT_EXEC_PATH']) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  if (options.gitDir) env['GIT_DIR'] = options.gitDir;
  if (options.workTree) env['GIT_WORK_TREE'] = options.workTree;
  if (options.indexFile) env['GIT_INDEX_FILE'] = options.indexFile;
  if (options.objectDir) env['GIT_OBJECT_DIRECTORY'] = options.objectDir;
  // Quoted, since a plain list is split at its delimiters.
  if (options.alternates) {
    env['GIT_ALTERNATE_OBJECT_DIRECTORIES'] = options.alternates.map((dir) => JSON.stringify(dir)).join(delimiter);
  }
  return { ...env, ...options.env };
}

/**
 * Runs git and returns what it printed, whatever its exit code.
 * Throws HelixError `node.unsuitable` without git, `node.disk-full`, and the signal's reason when aborted.
 */
export async function gitResult(args: string[], options: GitOptions = {}): Promise<GitResult> {
  const { signal } = options;
  signal?.throwIfAborted();
  const config = Object.entries(options.config ?? {}).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
  const cwd = options.cwd ?? options.workTree ?? options.gitDir;
  const child = spawn('git', [...fixedConfig, ...config, ...args], {
    env: environment(options),
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(cwd ? { cwd } : {}),
  });
  const abort = (): void => void child.kill('SIGTERM');
  signal?.addEventListener('abort', abort, { once: true });

  const chunks: Buffer[] = [];
  let outputError: unknown;
  let reading: Promise<void> | undefined;
  if (options.output) {
    reading = pipeline(child.stdout, options.output).catch((error: unknown) => {
      outputError = error;
      child.kill('SIGTERM');
    });
  } else {
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  }
  const stderr = collectLines(child.stderr, options.onLine);
  let inputError: unknown;
  const writing = feed(child.stdin, options.input).catch((error: unknown) => {
    // EPIPE only says that git ended early; its exit code and stderr tell why.
    if (!isClosedPipe(error)) {
      inputError = error;
      child.kill('SIGTERM');
    }
  });

  try {
    const exitCode = await new Promise<number>((resolve, reject) => {
      child.once('error', (error: NodeJS.ErrnoException) => reject(cannotStart(error, cwd)));
      child.once('close', (code, killedBy) => resolve(code ?? (killedBy ? 143 : 1)));
    });
    signal?.throwIfAborted();
    if (options.input instanceof Readable && !options.input.readableEnded) options.input.destroy();
    await Promise.all([reading, writing]);
    if (inputError !== undefined) throw inputError;
    const text = stderr();
    if (/No space left on device|Disk quota exceeded/.test(text)) {
      throw new HelixError(
        'node.disk-full',
        `the disk is full: git ${args[0]} could not write (${gitReason(text)}); free some space and try again`,
      );
    }
    if (exitCode === 0 && outputError !== undefined) throw outputError;
    return { exitCode, stdout: Buffer.concat(chunks), stderr: text };
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

/** Runs git and returns its stdout. Throws GitError when it exits with anything but 0. */
export async function git(args: string[], options: GitOptions = {}): Promise<Buffer> {
  const result = await gitResult(args, options);
  if (result.exitCode !== 0) throw new GitError(args, result);
  return result.stdout;
}

/** Like `git`, as text without the line break at its end. */
export async function gitText(args: string[], options: GitOptions = {}): Promise<string> {
  return (await git(args, options)).toString().replace(/\n$/, '');
}

/** The words of git that say why, on one line. */
export function gitReason(stderr: string): string {
  const lines = stderr.split('\n').map((line) => line.trim());
  const telling = lines.filter((line) => /^(fatal|error|remote|ssh|warning):/i.test(line));
  return (telling.length > 0 ? telling : lines.filter((line) => line !== '')).slice(0, 8).join('; ');
}

async function feed(stdin: Writable, input: GitOptions['input']): Promise<void> {
  if (input instanceof Readable) return pipeline(input, stdin);
  return new Promise((resolve, reject) => {
    stdin.on('error', reject);
    stdin.on('close', resolve);
    stdin.end(input);
  });
}

function isClosedPipe(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ECONNRESET';
}

function collectLines(stream: Readable, onLine: ((line: string) => void) | undefined): () => string {
  const chunks: Buffer[] = [];
  let rest = '';
  stream.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    if (!onLine) return;
    // Progress is drawn over itself with carriage returns.
    const lines = (rest + chunk.toString()).split(/[\r\n]/);
    rest = lines.pop()!;
    for (const line of lines) if (line.trim() !== '') onLine(line.trim());
  });
  return () => Buffer.concat(chunks).toString();
}

function cannotStart(error: NodeJS.ErrnoException, cwd: string | undefined): Error {
  // A missing folder to start in is reported as a missing program.
  if (error.code === 'ENOENT') {
    return new HelixError(
      'node.unsuitable',
      `git could not be started in ${cwd ?? 'the current folder'}: install git 2.30 or later, and make sure the folder exists`,
      {
        cause: error,
      },
    );
  }
  return error;
}

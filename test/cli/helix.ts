import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

interface HelixOptions {
  cwd?: string;
  /** On top of the environment of the test. */
  env?: NodeJS.ProcessEnv;
  input?: string;
  /** Called with all of stdout so far, whenever there is more. */
  onOutput?: (stdout: string, child: ChildProcess) => void;
}

export interface HelixOutput {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs the real command line program. */
export function helix(args: string[], options: HelixOptions = {}): Promise<HelixOutput> {
  return run(process.execPath, [main, ...args], options);
}

/** The same on a pseudo-terminal, whose output is both stdout and stderr. */
export function helixOnTerminal(args: string[], options: HelixOptions = {}): Promise<HelixOutput> {
  const command = [process.execPath, main, ...args].map((part) => `'${part.replaceAll("'", "'\\''")}'`).join(' ');
  return run('script', ['--quiet', '--flush', '--return', '--command', command, '/dev/null'], options);
}

/** What of the surrounding environment would decide about colours; Node takes any unknown CI for a terminal without them. */
const noColourWishes = { NO_COLOR: undefined, NODE_DISABLE_COLORS: undefined, FORCE_COLOR: undefined, CI: undefined };

async function run(program: string, args: string[], options: HelixOptions): Promise<HelixOutput> {
  const env = { ...process.env, ...options.env, TERM: 'xterm', ...noColourWishes };
  const child = spawn(program, args, { cwd: options.cwd, env, stdio: 'pipe' });
  const output: HelixOutput = { code: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
    options.onOutput?.(output.stdout, child);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  // A terminal takes the end of its input for Ctrl-D: then it stays open.
  if (program === process.execPath) child.stdin.end(options.input ?? '');
  output.code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  return output;
}

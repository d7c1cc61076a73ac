import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { HelixError } from '../../../contracts/error.ts';
import { type ListedProcess, readListing } from './process-listing.ts';

const mark = '@@helix-answer@@';
const timeoutMs = 60_000;
const program = 'powershell.exe';

/** Starting PowerShell takes half a second, so one answers all questions: a line of base64 each, answered by lines up to the mark. */
const loop = `
$ProgressPreference='SilentlyContinue'
[Console]::OutputEncoding=New-Object Text.UTF8Encoding $false
while ($null -ne ($line=[Console]::In.ReadLine())) {
  try { $answer=Invoke-Expression ([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($line))) | Out-String -Width 4096 }
  catch { $answer="error $($_.Exception.Message)" }
  [Console]::Out.WriteLine($answer.TrimEnd()); [Console]::Out.WriteLine('${mark}'); [Console]::Out.Flush()
}`;

const listing = `Get-CimInstance Win32_Process -Property ProcessId,ParentProcessId,CreationDate -ErrorAction Stop | Where-Object { $_.CreationDate } |
  ForEach-Object { "$($_.ProcessId) $($_.ParentProcessId) $([int64]($_.CreationDate.ToUniversalTime()-[datetime]'1970-01-01').TotalMilliseconds)" }`;

/** What only Windows itself can be asked, and Node has no call for. */
export class PowerShell {
  #shell: Shell | undefined;
  #last: Promise<unknown> = Promise.resolve();

  async listProcesses(): Promise<ListedProcess[]> {
    const listed = readListing(await this.#ask(listing));
    // This process at least is there; without it the answer was none.
    if (listed.length > 0) return listed;
    throw new HelixError(
      'node.unsuitable',
      'Windows does not list its processes (Win32_Process): does its WMI service run?',
    );
  }

  /**
   * Starts a process that belongs to nobody: an SSH server ends all that a session has started together with it, but not this. It has the
   * variables of the account, and no output. Returns its id. Throws `node.unsuitable` when the account may not.
   */
  async startFree(words: string[], folder: string): Promise<number> {
    const answer = await this.#ask(createScript(words, folder));
    const [, code, pid] = /^(\d+) (\d+)\s*$/m.exec(answer) ?? [];
    if (code === '0' && pid !== undefined) return Number(pid);
    const reason = code === undefined ? answer.trim() : (refusals[code] ?? `code ${code}`);
    throw new HelixError(
      'node.unsuitable',
      `Windows does not let this account start processes that outlive its session (Win32_Process.Create: ${reason}): use an account that may, such as an administrator`,
    );
  }

  /** One after the other. */
  #ask(script: string): Promise<string> {
    const answer = this.#last.then(() => {
      if (!this.#shell?.isOpen) this.#shell = new Shell();
      return this.#shell.ask(script);
    });
    this.#last = answer.catch(() => {});
    return answer;
  }
}

/** Return values of Win32_Process.Create, as Microsoft documents them. */
const refusals: Record<string, string> = { 2: 'access denied', 3: 'insufficient privilege', 9: 'path not found' };

export function createScript(words: string[], folder: string): string {
  const line = words.map((word) => `"${word.replaceAll('"', '\\"')}"`).join(' ');
  return (
    `$made=Invoke-CimMethod -ClassName Win32_Process -MethodName Create -ErrorAction Stop ` +
    `-Arguments @{CommandLine=${quote(line)};CurrentDirectory=${quote(folder)}}; "$($made.ReturnValue) $($made.ProcessId)"`
  );
}

/** Of a process; empty when there is none. Waits for a PowerShell of its own. */
export function readCommandLine(pid: number): string {
  const script = `(Get-CimInstance Win32_Process -Filter 'ProcessId=${pid}').CommandLine`;
  return execFileSync(program, parameters(script), { encoding: 'utf8', windowsHide: true, timeout: timeoutMs });
}

function parameters(script: string): string[] {
  return ['-NoProfile', '-NonInteractive', '-EncodedCommand', Buffer.from(script, 'utf16le').toString('base64')];
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

class Shell {
  isOpen = true;
  readonly #child: ChildProcessWithoutNullStreams;
  #answer: { resolve(text: string): void; reject(error: Error): void } | undefined;
  #lines: string[] = [];

  constructor() {
    this.#child = spawn(program, parameters(loop), { stdio: ['pipe', 'pipe', 'pipe'], windowsHide: true });
    const end = (reason: string): void => {
      this.isOpen = false;
      this.#answer?.reject(new HelixError('node.unsuitable', `PowerShell does not run on this machine: ${reason}`));
    };
    this.#child.once('error', (error) => end(error.message));
    this.#child.once('exit', (code) => end(`exit code ${code}`));
    this.#child.stdin.on('error', () => {});
    this.#child.stderr.resume();
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      if (line !== mark) this.#lines.push(line);
      else this.#answer?.resolve(this.#lines.splice(0).join('\n'));
    });
  }

  async ask(script: string): Promise<string> {
    const timer = setTimeout(() => {
      this.isOpen = false;
      this.#child.kill();
      this.#answer?.reject(new HelixError('node.unsuitable', `PowerShell has not answered for ${timeoutMs / 1000} s`));
    }, timeoutMs);
    try {
      return await new Promise((resolve, reject) => {
        this.#answer = { resolve, reject };
        this.#child.stdin.write(`${Buffer.from(script).toString('base64')}\n`);
      });
    } finally {
      clearTimeout(timer);
      this.#answer = undefined;
    }
  }
}

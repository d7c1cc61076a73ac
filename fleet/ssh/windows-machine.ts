import type { Client } from 'ssh2';
import { HelixError } from '../../contracts/error.ts';
import { lastWords } from '../last-words.ts';
import { execSsh } from './exec.ts';

/** What a machine looks like before the agent is there. */
export interface Machine {
  /** `process.platform` style. */
  os: string;
  /** `process.arch` style. */
  arch: string;
  /** `glibc` or `musl` on Linux, else empty. */
  libc: string;
  /** Absolute; made if it was missing. */
  root: string;
  /** A Node of version 20 or later on the login shell's PATH. */
  node?: string;
  /** The version of a Node that is too old. */
  oldNode?: string;
}

const mark = '__helix_probe__';

/**
 * The same as what a POSIX machine is asked. It runs in Windows PowerShell 5.1, which every Windows that has Microsoft's OpenSSH server has,
 * and must stay below 3,000 characters: cmd.exe takes 8,191, and encoded each character is two and two thirds.
 */
const script = (root: string): string => `
$ProgressPreference='SilentlyContinue'; $ErrorActionPreference='SilentlyContinue'
[Console]::OutputEncoding=New-Object Text.UTF8Encoding $false
function say($t) { [Console]::Out.Write("$t\`n") }
say ''; say '${mark}'; say 'os=win32'
say "arch=$(if ($env:PROCESSOR_ARCHITEW6432) { $env:PROCESSOR_ARCHITEW6432 } else { $env:PROCESSOR_ARCHITECTURE })"
say "shell=$((Get-ItemProperty HKLM:\\SOFTWARE\\OpenSSH -Name DefaultShell).DefaultShell)"
$root=${root.startsWith('~/') ? `Join-Path $env:USERPROFILE ${quotePowerShell(root.slice(2))}` : quotePowerShell(root)}
try {
  $bin=Join-Path $root 'bin'
  New-Item -ItemType Directory -Force -Path $bin -ErrorAction Stop | Out-Null
  $file=Join-Path $bin ".writable$PID"
  [IO.File]::WriteAllText($file,''); Remove-Item -LiteralPath $file -ErrorAction Stop
  say "root=$((Get-Item -LiteralPath $root -Force -ErrorAction Stop).FullName)"
} catch { say "problem=$($_.Exception.Message -replace '\\s+',' ')" }
foreach ($one in @(Get-Command node.exe -CommandType Application -All)) {
  $version=& $one.Path -p process.versions.node
  if (-not $version) { continue }
  if ([int]($version -split '\\.')[0] -ge 20) { say "node=$($one.Path)"; break }
  say "oldNode=$version"
}
say '${mark}'
`;

/** One command that cmd.exe, PowerShell and a POSIX shell understand alike. */
export function powerShellCommand(text: string): string {
  return `powershell -NoProfile -NonInteractive -EncodedCommand ${Buffer.from(text, 'utf16le').toString('base64')}`;
}

/**
 * Undefined when what answers is no Windows. Throws `node.unsuitable` when the root cannot be written or the default shell does not pass on
 * bytes, and `node.disk-full` when there is no room.
 */
export async function probeWindows(client: Client, name: string, root: string): Promise<Machine | undefined> {
  const { stdout } = await execSsh(client, powerShellCommand(script(root)), '', 60_000);
  return readWindowsProbe(stdout, name, root);
}

/** What the script has printed, amid whatever else was. */
export function readWindowsProbe(stdout: string, name: string, root: string): Machine | undefined {
  const between = stdout.replaceAll('\r', '').split(`${mark}\n`)[1];
  if (between === undefined) return undefined;
  const values = Object.fromEntries(
    between.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  if (values.os !== 'win32') return undefined;
  if (values.root === undefined) {
    const reason = lastWords(values.problem ?? '') || 'it cannot be entered';
    if (/not enough space/i.test(reason))
      throw new HelixError('node.disk-full', `the disk of ${name} is full (${root}): ${reason}`);
    throw new HelixError(
      'node.unsuitable',
      `the folder ${root} on ${name} cannot be written (${reason}): make it writable, or choose another one with --root`,
    );
  }
  const shell = values.shell ?? '';
  if (shell !== '' && !/[\\/](cmd|bash|sh)(\.exe)?$/i.test(shell)) {
    throw new HelixError(
      'node.unsuitable',
      `${name} has ${shell} as the default shell of its SSH server, which takes what is meant for the programs that it starts: make cmd.exe ` +
        'the default shell again (remove DefaultShell from HKLM:\\SOFTWARE\\OpenSSH)',
    );
  }
  return {
    os: 'win32',
    arch: architectures[values.arch ?? ''] ?? (values.arch ?? '').toLowerCase(),
    libc: '',
    root: values.root,
    ...(values.node ? { node: values.node } : {}),
    ...(values.oldNode ? { oldNode: values.oldNode } : {}),
  };
}

const architectures: Record<string, string> = { AMD64: 'x64', ARM64: 'arm64', x86: 'ia32' };

/** Where SFTP finds a file of Windows: `C:\\Users` is `/C:/Users` there. */
export function sftpPath(path: string): string {
  return `/${path.replaceAll('\\', '/')}`;
}

/**
 * A command line for cmd.exe, which a POSIX shell reads alike. Throws `node.unsuitable` for a word that neither quotes nor
 * anything else protects there.
 */
export function quoteWindows(words: string[], name: string): string {
  return words
    .map((word) => {
      if (/[%\r\n$`]|\\$/.test(word))
        throw new HelixError(
          'node.unsuitable',
          `"${word}" on ${name} cannot be given to cmd.exe: choose a folder without such characters with --root`,
        );
      return `"${word.replaceAll('"', '\\"')}"`;
    })
    .join(' ');
}

function quotePowerShell(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

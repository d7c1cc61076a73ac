import type { Client } from 'ssh2';
import { HelixError } from '../../contracts/error.ts';
import { lastWords } from '../last-words.ts';
import { execSsh } from './exec.ts';
import { type Machine, probeWindows } from './windows-machine.ts';

const mark = '__helix_probe__';

/** The marks keep what start-up files print apart. Every value is on a line `name=value`. */
const script = (root: string): string => `
LC_ALL=C; export LC_ALL
exec 2>/dev/null
echo; echo ${mark}
echo "os=$(uname -s)"
echo "arch=$(uname -m)"
if getconf GNU_LIBC_VERSION | grep -q glibc; then echo libc=glibc; elif ls /lib/ld-musl* /usr/lib/ld-musl*; then echo libc=musl; fi
root=${root.startsWith('~/') ? `"$HOME"/${quote(root.slice(2))}` : quote(root)}
problem=$(mkdir -p "$root/bin" 2>&1 && touch "$root/bin/.writable" 2>&1 && rm -f "$root/bin/.writable") || echo "problem=$problem"
root=$(cd "$root" && pwd) && echo "root=$root"
printf '#!/bin/sh\\nexit 0\\n' > "$root/bin/.runs$$" && chmod 700 "$root/bin/.runs$$" && { "$root/bin/.runs$$" || echo "noexec=$?"; }
rm -f "$root/bin/.runs$$"
ask() { "\${SHELL:-/bin/sh}" "$1" "echo ${mark}; env; echo ${mark}" < /dev/null | sed -n '/^${mark}/,/^${mark}/s/^PATH=//p'; }
path=$(ask -lc)
# A C shell takes no command as a login shell.
[ -n "$path" ] || path=$(ask -c)
IFS=:
for folder in \${path:-$PATH}; do
  [ -x "$folder/node" ] && [ ! -d "$folder/node" ] || continue
  version=$("$folder/node" -p process.versions.node < /dev/null) || continue
  if [ "\${version%%.*}" -ge 20 ]; then echo "node=$folder/node"; break; fi
  echo "oldNode=$version"
done
echo ${mark}
`;

/**
 * Throws `node.unsuitable` when there is neither a POSIX shell nor Windows, or when the root cannot be written or programs cannot run there, and
 * `node.disk-full` when there is no room.
 */
export async function probeMachine(client: Client, name: string, root: string): Promise<Machine> {
  const { stdout, stderr, exitCode } = await execSsh(client, '/bin/sh', script(root), 30_000);
  const between = stdout.split(`${mark}\n`)[1];
  // Git for Windows has a POSIX shell, which may have been made the default one.
  if (between === undefined || /^os=(MINGW|MSYS|CYGWIN)/m.test(between)) {
    const windows = await probeWindows(client, name, root);
    if (windows) return windows;
  }
  if (between === undefined) {
    throw new HelixError(
      'node.unsuitable',
      `${name} did not run a shell script (${describeEnd(exitCode)}; it said: ${lastWords(`${stdout}\n${stderr}`)}): the account needs a login shell, and the machine a POSIX /bin/sh`,
    );
  }
  const values = Object.fromEntries(
    between.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  if (!/^[A-Za-z][\w.-]*$/.test(values.os ?? '') || !/^[\w.-]+$/.test(values.arch ?? '')) {
    throw new HelixError(
      'node.unsuitable',
      `${name} does not answer a shell script as a machine would (it said: ${lastWords(between)}): does its sshd run something else instead (ForceCommand)?`,
    );
  }
  const folder = `the folder ${root} on ${name}`;
  if (values.problem !== undefined || !values.root?.startsWith('/')) {
    const reason = lastWords(values.problem ?? '') || 'it cannot be entered';
    if (/No space left|quota/i.test(reason))
      throw new HelixError('node.disk-full', `the disk of ${name} is full (${root}): ${reason}`);
    throw new HelixError(
      'node.unsuitable',
      `${folder} cannot be written (${reason}): make it writable, or choose another one with --root`,
    );
  }
  if (values.noexec !== undefined) {
    throw new HelixError(
      'node.unsuitable',
      `${folder} is on a file system that runs no programs (mounted noexec): choose another one with --root`,
    );
  }
  return {
    os: values.os!.toLowerCase(),
    arch: architectures[values.arch!] ?? values.arch!,
    libc: values.libc ?? '',
    root: values.root,
    ...(values.node ? { node: values.node } : {}),
    ...(values.oldNode ? { oldNode: values.oldNode } : {}),
  };
}

function describeEnd(exitCode: number | null): string {
  return exitCode === null ? 'the connection ended' : `exit code ${exitCode}`;
}

const architectures: Record<string, string> = { x86_64: 'x64', amd64: 'x64', aarch64: 'arm64', armv7l: 'arm' };

/** `os arch libc` of this process, comparable with a machine's. */
export function controllerPlatform(): string {
  const { platform, arch, report } = process;
  if (platform !== 'linux') return `${platform} ${arch}`;
  // Without this the report looks up the names of all peers.
  Object.assign(report, { excludeNetwork: true });
  const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return `${platform} ${arch} ${header?.glibcVersionRuntime ? 'glibc' : 'musl'}`;
}

/** One word for any shell of the Bourne or C family. */
export function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

import { findProgram, type ProgramPlace, runProgram } from './run-program.ts';

/** Looked for on every node; asked with `--version` unless said otherwise below. */
const programs = `git node npm pnpm yarn bun deno go cargo rustc python python3 pip pytest poetry uv tox
  java javac mvn gradle ruby bundle php composer dotnet swift make cmake ninja bazel gcc g++ cc clang
  docker podman nerdctl apptainer bash curl unzip jq tar zstd ssh`.split(/\s+/);

const versionParameters: Record<string, string[]> = {
  go: ['version'],
  java: ['-version'],
  javac: ['-version'],
  docker: ['version', '--format', '{{.Server.Version}}'],
  unzip: ['-v'],
  ssh: ['-V'],
};

const programTimeoutMs = 5_000;
/** Several at once, yet not so many that a busy machine makes all of them miss their time. */
const atOnce = 8;

/**
 * Version by program found on the PATH; empty when the program does not say one. A program that does not answer in time, within `deadlineMs` all
 * together, keeps the version of `earlier`.
 */
export async function detectTools(
  login: ProgramPlace,
  earlier: Record<string, string> = {},
  deadlineMs = 20_000,
): Promise<Record<string, string>> {
  const versions = new Map<string, string>();
  const deadline = performance.now() + deadlineMs;
  const found = programs.filter((name) => findProgram(name, login.path) !== undefined);
  const waiting = found.values();
  const askOneAfterTheOther = async (): Promise<void> => {
    for (const name of waiting) {
      const timeoutMs = Math.min(programTimeoutMs, deadline - performance.now());
      const version = timeoutMs > 0 ? await askVersion(name, login, timeoutMs, earlier[name]) : (earlier[name] ?? '');
      if (version !== undefined) versions.set(name, version);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, askOneAfterTheOther));
  // In the order of the list, whoever answered first.
  return Object.fromEntries(found.flatMap((name) => (versions.has(name) ? [[name, versions.get(name)!]] : [])));
}

/** Undefined for a program that is there and yet is of no use. */
async function askVersion(
  name: string,
  login: ProgramPlace,
  timeoutMs: number,
  earlier = '',
): Promise<string | undefined> {
  const parameters = versionParameters[name] ?? ['--version'];
  const { end, output, errors } = await runProgram(name, parameters, login, timeoutMs);
  // Some print their version to the error stream.
  if (end === 'succeeded') return readVersion(`${output}\n${errors}`);
  // A docker without a daemon to talk to runs no container.
  if (name === 'docker') return undefined;
  return end === 'timed-out' ? earlier : '';
}

/** The first thing with dots in it that looks like a version, else the first number. */
function readVersion(output: string): string {
  return (/\d+(?:\.\d+)+[0-9A-Za-z.+-]*/.exec(output) ?? /\b\d+\b/.exec(output))?.[0] ?? '';
}

import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Readable } from 'node:stream';
import { host } from './platform/host.ts';

/** Where programs are found, and whose home they see. */
export interface ProgramPlace {
  path: string;
  home: string;
}

export interface ProgramOutput {
  end: 'succeeded' | 'failed' | 'timed-out';
  output: string;
  errors: string;
}

const outputLimit = 1 << 20;

/**
 * Runs a program for what it prints. It ends within the time whatever the program does: the whole process group is killed then, and
 * nobody waits for a grandchild that holds the output open. Without `environment` it gets a plain one.
 */
export function runProgram(
  name: string,
  parameters: string[],
  { path, home }: ProgramPlace,
  timeoutMs: number,
  environment?: NodeJS.ProcessEnv,
): Promise<ProgramOutput> {
  const env = environment ?? {
    ...host.variables(),
    PATH: path,
    HOME: home,
    LANG: 'C',
    LC_ALL: 'C',
    COREPACK_ENABLE_DOWNLOAD_PROMPT: '0',
  };
  return new Promise((resolve) => {
    const said = { output: '', errors: '' };
    // A group of its own, so that what it starts can be ended with it.
    const how = host.invocation(findProgram(name, path) ?? name, parameters);
    const child = spawn(how.file, how.parameters, {
      env,
      cwd: '/',
      detached: true,
      windowsHide: true,
      windowsVerbatimArguments: how.verbatim === true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const finish = (end: ProgramOutput['end']): void => {
      clearTimeout(timer);
      if (child.pid !== undefined) host.endGroup(child.pid);
      child.stdout.destroy();
      child.stderr.destroy();
      child.unref();
      resolve({ end, ...said });
    };
    const timer = setTimeout(() => finish('timed-out'), timeoutMs);
    collect(child.stdout, (text) => (said.output = (said.output + text).slice(0, outputLimit)));
    collect(child.stderr, (text) => (said.errors = (said.errors + text).slice(0, outputLimit)));
    child.once('error', () => finish('failed'));
    const exited = (code: number | null): void => finish(code === 0 ? 'succeeded' : 'failed');
    child.once('close', exited);
    // What it has printed is there a moment after its end, even when a grandchild keeps the stream open.
    child.once('exit', (code) => setTimeout(exited, 200, code));
  });
}

function collect(stream: Readable, take: (text: string) => void): void {
  stream.setEncoding('utf8').on('data', take);
  stream.on('error', () => {});
}

/** Where a program is on the PATH. */
export function findProgram(name: string, path: string): string | undefined {
  for (const folder of path.split(delimiter).filter(Boolean)) {
    for (const file of host.programNames(name).map((one) => join(folder, one))) {
      try {
        accessSync(file, constants.X_OK);
        if (statSync(file).isFile()) return file;
      } catch {
        // Not in this folder.
      }
    }
  }
  return undefined;
}

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../config/schema.ts';
import type { StackProcess } from '../../contracts/stack.ts';
import { isAlive, withLock } from '../bootstrap/lock.mjs';
import { isApiHealthy } from './helix-process.ts';
import { stopping } from './part.ts';
import { endProcess } from './processes.ts';
import { settingsFingerprint, startSupervisor, untilReady } from './start.ts';
import { listProcesses, partNames, readStackFile, writeStackFile } from './state.ts';
import type { PartName, StackFile } from './state.ts';

export interface StackState {
  /** Where the API answers: `http://127.0.0.1:8640`. */
  apiUrl: string;
  temporalAddress: string;
  temporalUiUrl: string | null;
  databaseUrl: string;
  processes: StackProcess[];
}

export interface UpOptions {
  /** The program of the Helix process, `workers/helix.ts` by default. */
  helixEntry?: string;
}

const supervisorStopMs = 45_000;

/**
 * Starts what is not running and returns when the API answers. Tells what it does in lines for people.
 * Throws `stack.unreachable` naming the part that does not start, its reason and its log.
 */
export async function up(
  config: Config,
  onProgress: (line: string) => void,
  options: UpOptions = {},
): Promise<StackState> {
  await mkdir(config.home, { recursive: true, mode: 0o700 });
  const running = await usableStack(config, onProgress);
  if (running) return running;
  return withStackLock(config, onProgress, async () => {
    const started = await usableStack(config, onProgress);
    if (started) return started;
    const file = readStackFile(config.home);
    const isHopeless = file?.parts.some((part) => part.state === 'failed');
    if (file && isHopeless) await endProcess(file.supervisor, 'SIGHUP', supervisorStopMs);
    const supervisor =
      file && isAlive(file.supervisor)
        ? file.supervisor
        : await startSupervisor(config, onProgress, options.helixEntry);
    return stateOf(await untilReady(config.home, supervisor, onProgress));
  });
}

/** Ends what `up` started, also when its supervisor was killed, and nothing else. Returns how everything stands afterwards. */
export async function down(config: Config): Promise<StackProcess[]> {
  if (!readStackFile(config.home)) return status(config);
  return withStackLock(
    config,
    () => undefined,
    async () => {
      const before = readStackFile(config.home);
      if (before) await endProcess(before.supervisor, 'SIGTERM', supervisorStopMs);
      const left = readStackFile(config.home);
      if (!left) return status(config);
      for (const name of Object.keys(stopping) as PartName[]) {
        const identity = left.parts.find((part) => part.name === name)?.identity;
        if (identity) await endProcess(identity, stopping[name].signal, stopping[name].timeoutMs);
      }
      const parts = left.parts.map(({ name, address, state }): StackFile['parts'][number] => ({
        name,
        address,
        state: state === 'external' ? 'external' : 'stopped',
        identity: null,
      }));
      writeStackFile(config.home, { ...left, parts });
      return status(config);
    },
  );
}

/** Every process of the stack as it is now. */
export async function status(config: Config): Promise<StackProcess[]> {
  const file = readStackFile(config.home);
  if (file) return listProcesses(file);
  const names = ['supervisor', ...partNames] as const;
  return names.map((name) => ({ name, pid: null, state: 'stopped', address: null }));
}

/** Where the stack of this home is, from its state file alone; null when nothing of it runs. */
export async function readStackState(config: Config): Promise<StackState | null> {
  const file = readStackFile(config.home);
  if (!file) return null;
  const state = stateOf(file);
  return state.processes.some((process) => process.pid !== null) ? state : null;
}

function stateOf(file: StackFile): StackState {
  const { apiUrl, temporalAddress, temporalUiUrl, databaseUrl } = file;
  return { apiUrl, temporalAddress, temporalUiUrl, databaseUrl, processes: listProcesses(file) };
}

/** The stack when it is supervised and answers. */
async function usableStack(config: Config, onProgress: (line: string) => void): Promise<StackState | null> {
  const file = readStackFile(config.home);
  if (!file) return null;
  const state = stateOf(file);
  const isWhole = state.processes.every((process) => process.state === 'running' || process.state === 'external');
  if (!isWhole || !(await isApiHealthy(file.apiUrl))) return null;
  if (file.settings !== settingsFingerprint(config)) {
    onProgress('the running stack was started with other settings; "helix down" and "helix up" apply the new ones');
  }
  return state;
}

function withStackLock<T>(config: Config, onProgress: (line: string) => void, use: () => Promise<T>): Promise<T> {
  return withLock(join(config.home, 'stack.lock'), use, (pid) =>
    onProgress(`waiting for process ${pid}, which is starting or stopping the stack`),
  );
}

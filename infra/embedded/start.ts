import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Config } from '../../config/schema.ts';
import { HelixError } from '../../contracts/error.ts';
import { identify, isAlive } from '../bootstrap/lock.mjs';
import type { ProcessIdentity } from '../bootstrap/lock.mjs';
import { isApiHealthy } from './helix-process.ts';
import { readStackFile } from './state.ts';
import type { PartState, StackFile } from './state.ts';
import type { SupervisorInput } from './supervisor-input.ts';

const longestStartMs = 180_000;

/** Differs when the configuration does. */
export function settingsFingerprint(config: Config): string {
  return createHash('sha256').update(JSON.stringify(config)).digest('hex');
}

/** Starts the supervisor as a process of its own session, after fetching what it needs. */
export async function startSupervisor(
  config: Config,
  onProgress: (line: string) => void,
  helixEntry?: string,
): Promise<ProcessIdentity> {
  const temporalCli = config.temporal.address ? null : await embeddedTemporalCli(onProgress);
  const input: SupervisorInput = {
    config,
    settings: settingsFingerprint(config),
    temporalCli,
    ...(helixEntry ? { helixEntry } : {}),
  };
  const logs = join(config.home, 'logs');
  mkdirSync(logs, { recursive: true });
  const output = openSync(supervisorLog(config.home), 'a', 0o600);
  try {
    const entry = fileURLToPath(new URL('supervisor.ts', import.meta.url));
    const args = ['--disable-warning=ExperimentalWarning', entry];
    const child = spawn(process.execPath, args, { cwd: config.home, detached: true, stdio: ['pipe', output, output] });
    await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
    // A supervisor that dies before it has read is noticed by its absence.
    child.stdin!.on('error', () => undefined);
    child.stdin!.end(JSON.stringify(input));
    child.unref();
    return identify(child.pid!);
  } finally {
    closeSync(output);
  }
}

/** Loaded only when a supervisor is to be started: a stack that runs needs no CLI. */
async function embeddedTemporalCli(onProgress: (line: string) => void): Promise<string> {
  const { resolveTemporalCli } = await import('./temporal-cli.ts');
  return resolveTemporalCli({ onProgress });
}

/** Waits until every part runs and the API answers, telling of each part that gets there. */
export async function untilReady(
  home: string,
  supervisor: ProcessIdentity,
  onProgress: (line: string) => void,
): Promise<StackFile> {
  const told = new Set<string>();
  const deadline = Date.now() + longestStartMs;
  for (;;) {
    const file = readStackFile(home);
    const current = file?.supervisor.pid === supervisor.pid ? file : null;
    for (const part of current?.parts ?? []) {
      if (part.state === 'failed') throw failed(home, part, current!);
      const isThere = part.state === 'running' || part.state === 'external';
      if (isThere && !told.has(part.name)) onProgress(describe(part, current!));
      if (isThere) told.add(part.name);
    }
    if (current && told.size === current.parts.length && (await isApiHealthy(current.apiUrl))) return current;
    if (!isAlive(supervisor)) throw supervisorDied(home);
    if (Date.now() > deadline) {
      throw new HelixError(
        'stack.unreachable',
        `the stack did not start within ${longestStartMs / 1000} s; its logs are in ${join(home, 'logs')}`,
      );
    }
    await sleep(20);
  }
}

const titles = { postgres: 'PostgreSQL', temporal: 'Temporal', helix: 'Helix' };

function describe(part: PartState, file: StackFile): string {
  if (part.state === 'external') return `${titles[part.name]} is yours, at ${part.address}`;
  const name = part.name === 'helix' ? 'api' : part.name;
  const port = file.ports[name];
  const moved = port && port.wanted !== port.given ? ` (${port.wanted} was in use)` : '';
  return `${titles[part.name]} runs at ${part.address}${moved}`;
}

function failed(home: string, part: PartState, file: StackFile): HelixError {
  const isEmbedded = part.name === 'helix' || file.ports[part.name]?.given === Number(part.address?.split(':').at(-1));
  const log = isEmbedded ? `; its log is ${join(home, 'logs', `${part.name}.log`)}` : '';
  const what = `${titles[part.name]} at ${part.address} ${isEmbedded ? 'does not start: ' : ''}`;
  return new HelixError('stack.unreachable', `${what}${part.reason ?? 'no reason given'}${log}`, {
    details: { part: part.name },
  });
}

function supervisorDied(home: string): HelixError {
  const lines = readFileSync(supervisorLog(home), 'utf8').trimEnd().split('\n');
  return new HelixError(
    'stack.unreachable',
    `the stack's supervisor ended: ${lines.slice(-3).join(' ')} (${supervisorLog(home)})`,
  );
}

function supervisorLog(home: string): string {
  return join(home, 'logs', 'supervisor.log');
}

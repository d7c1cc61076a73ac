import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLogger } from '../../observability/logger.ts';
import { tryLock } from '../bootstrap/lock.mjs';
import { LogPump, RotatingLog } from './log-pump.ts';
import { releasePorts } from './ports.ts';
import { planStack } from './stack-plan.ts';
import { partNames, stateFilePath, writeStackFile } from './state.ts';
import type { PartName } from './state.ts';
import { supervisorInputSchema } from './supervisor-input.ts';

/**
 * The process that outlives the command: starts the parts of the stack and keeps them running.
 * SIGTERM ends the stack; SIGHUP ends the supervisor alone and leaves the parts to the next one.
 */
const housekeepingMs = 250;
const takeHomeMs = 30_000;

const input = supervisorInputSchema.parse(JSON.parse(await text(process.stdin)));
const { home } = input.config;
const release = await takeHome();

const logs = join(home, 'logs');
const log = createLogger('supervisor', { destination: new RotatingLog(join(logs, 'supervisor.log')) });
process.on('uncaughtException', (error) => {
  log.fatal({ err: error }, 'the supervisor ends; its parts go on');
  process.exit(1);
});

const pumps = Object.fromEntries(partNames.map((name) => [name, new LogPump(logs, name)])) as Record<PartName, LogPump>;
const plan = await planStack({ input, pumps, log, onChange: record });
let isEnding = false;
record();
for (const part of plan.parts) part.run();
log.info({ ports: plan.file.ports }, 'supervising');
const housekeeping = setInterval(keepHouse, housekeepingMs);

process.on('SIGTERM', () => void end('stop'));
process.on('SIGINT', () => void end('stop'));
process.on('SIGHUP', () => void end('abandon'));

/** Alone in charge of the home. One that is on its way out is waited for. */
async function takeHome(): Promise<() => void> {
  for (const deadline = Date.now() + takeHomeMs; Date.now() < deadline; await sleep(50)) {
    const taken = tryLock(join(home, 'supervisor.lock'));
    if (taken) return taken;
  }
  throw new Error(`another supervisor has ${home}`);
}

function record(): void {
  // A home that was removed is not brought back.
  if (!existsSync(home)) return;
  writeStackFile(home, { ...plan.file, parts: plan.parts.map((part) => part.state) });
}

function keepHouse(): void {
  if (!existsSync(stateFilePath(home))) return void end('stop');
  for (const pump of Object.values(pumps)) pump.pump();
}

async function end(how: 'stop' | 'abandon'): Promise<void> {
  if (isEnding) return;
  isEnding = true;
  clearInterval(housekeeping);
  log.info(how === 'stop' ? 'ending the stack' : 'leaving the stack to another supervisor');
  const [postgres, temporal, helix] = plan.parts;
  await helix![how]();
  await Promise.all([temporal![how](), postgres![how]()]);
  releasePorts(Object.values(plan.file.ports).map((port) => port.given));
  release();
  process.exit(0);
}

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { cpus, freemem, loadavg } from 'node:os';
import { join } from 'node:path';
import type { Layout } from './layout.ts';
import type { AgentSample } from './protocol.ts';
import { removedPrefix } from './set-aside.ts';

/** Ticks of all processors together since the start of the machine. */
interface Ticks {
  busy: number;
  all: number;
}

/** Says how busy the machine is. Meant to be asked every few seconds: a look costs a tenth of a millisecond. */
export class Sampler {
  readonly #layout: Layout;
  #before = readTicks();
  #cpu = 0;

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  async take(): Promise<AgentSample> {
    const disk = await statfs(this.#layout.root);
    return {
      at: Date.now(),
      cpu: this.#busyShare(),
      load: loadavg()[0]!,
      memoryFree: Math.min(freemem(), process.availableMemory?.() ?? Infinity),
      diskFree: disk.bavail * disk.bsize,
      diskTotal: disk.blocks * disk.bsize,
      ...this.executions(),
    };
  }

  /** Since it was last asked. */
  #busyShare(): number {
    const now = readTicks();
    const all = now.all - this.#before.all;
    // Asked twice within a tick, there is nothing to divide by.
    if (all <= 0) return this.#cpu;
    this.#cpu = Math.min(1, Math.max(0, (now.busy - this.#before.busy) / all));
    this.#before = now;
    return this.#cpu;
  }

  /** Those that have not ended, and those whose result nobody has collected. */
  executions(): Pick<AgentSample, 'running' | 'ended'> {
    const ids = readdirSync(this.#layout.executions).filter((id) => !id.startsWith(removedPrefix));
    const hasEnded = (id: string): boolean => existsSync(join(this.#layout.execution(id), 'result.json'));
    return { running: ids.filter((id) => !hasEnded(id)), ended: ids.filter(hasEnded) };
  }
}

function readTicks(): Ticks {
  if (process.platform === 'linux') {
    // Node's own list asks for the frequency of every processor, which costs milliseconds on large machines.
    const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, softIrq = 0, steal = 0] = readFileSync(
      '/proc/stat',
      'latin1',
    )
      .split('\n', 1)[0]!
      .split(/\s+/)
      .slice(1)
      .map(Number);
    const busy = user + nice + system + irq + softIrq + steal;
    return { busy, all: busy + idle + wait };
  }
  const times = cpus().map((cpu) => cpu.times);
  const all = times.reduce((sum, { user, nice, sys, idle, irq }) => sum + user + nice + sys + idle + irq, 0);
  return { busy: all - times.reduce((sum, { idle }) => sum + idle, 0), all };
}

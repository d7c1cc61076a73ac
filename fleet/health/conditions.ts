import type { NodeCondition } from '../../contracts/node.ts';
import type { Beat } from '../node-link.ts';

const gibibyte = 2 ** 30;

/** What a look at a machine is judged with. */
export interface MachineSize {
  cpus: number;
  slots: number;
  /** Bytes. */
  memory: number;
}

/** Something that makes a machine a worse choice. `margin` widens its limit once it holds, so that it does not come and go. */
interface Concern {
  /** Looks in a row before it is believed, either way. */
  looks: number;
  find(beat: Beat, size: MachineSize, margin: number): string | undefined;
}

const concerns: readonly Concern[] = [
  {
    looks: 1,
    find({ diskFree, diskTotal }, _size, margin) {
      const least = Math.min(diskTotal / 20, 2 * gibibyte) * margin;
      return diskFree < least ? `disk low: ${bytes(diskFree)} of ${bytes(diskTotal)} free` : undefined;
    },
  },
  {
    looks: 3,
    find({ memoryFree }, { memory }, margin) {
      const least = Math.min(memory / 20, gibibyte / 2) * margin;
      return memoryFree < least ? `memory low: ${bytes(memoryFree)} of ${bytes(memory)} free` : undefined;
    },
  },
  {
    looks: 3,
    find({ load }, { cpus, slots }, margin) {
      return load * margin > 4 * Math.max(cpus, slots)
        ? `load high: ${load.toFixed(1)} on ${cpus} processors`
        : undefined;
    },
  },
  {
    looks: 3,
    find({ latencyMs }, _size, margin) {
      return latencyMs * margin > 1000 ? `latency high: ${Math.round(latencyMs)} ms` : undefined;
    },
  },
  {
    looks: 2,
    find({ clockOffsetMs, latencyMs }, _size, margin) {
      const off = Math.abs(clockOffsetMs);
      const direction = clockOffsetMs > 0 ? 'fast' : 'slow';
      return (off - latencyMs) * margin > 30_000 ? `clock off: ${duration(off)} ${direction}` : undefined;
    },
  },
];

/** Judges one machine look by look. What holds is believed after a few looks, and given up after as many that are clearly better. */
export class ConditionJudge {
  readonly #states = new Map(
    concerns.map((concern) => [concern, { text: undefined as string | undefined, against: 0 }]),
  );

  /** The condition that the looks so far come to. */
  look(beat: Beat, size: MachineSize): NodeCondition {
    for (const [concern, state] of this.#states) {
      const found = concern.find(beat, size, state.text === undefined ? 1 : 1.25);
      if ((found === undefined) === (state.text === undefined)) {
        state.against = 0;
        continue;
      }
      state.against += 1;
      if (state.against < concern.looks) continue;
      // The words stay those of the moment when it was found: figures that change with every look would be an event each.
      state.text = found;
      state.against = 0;
    }
    const texts = [...this.#states.values()].map(({ text }) => text).filter((text) => text !== undefined);
    return texts.length === 0 ? { state: 'healthy' } : { state: 'degraded', reason: texts.join(', ') };
  }
}

function bytes(count: number): string {
  return count >= gibibyte ? `${(count / gibibyte).toFixed(1)} GiB` : `${Math.round(count / 2 ** 20)} MiB`;
}

function duration(ms: number): string {
  const minutes = ms / 60_000;
  if (minutes >= 120) return `${(minutes / 60).toFixed(1)} hours`;
  return minutes >= 2 ? `${Math.round(minutes)} minutes` : `${Math.round(ms / 1000)} seconds`;
}

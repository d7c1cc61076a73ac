import type { NodeRecord } from '../contracts/node.ts';
import type { NodeLogger } from './node-options.ts';
import type { Roster } from './placement/roster.ts';

export interface RedetectionOptions {
  roster: Pick<Roster, 'records' | 'record' | 'get' | 'refresh'>;
  everyMs: number;
  /** Records what was found. */
  save(record: NodeRecord): Promise<unknown>;
  logger: NodeLogger;
}

export interface Redetection {
  /** Looks at one node now; a machine that comes back may have been set up anew. Never rejects. */
  detect(name: string): Promise<void>;
  stop(): void;
}

/** So few at once that a large fleet is looked at little by little. */
const atOnce = 4;

/**
 * Looks again and again at what the connected nodes have, so that a toolchain that was installed or a disk that filled up is known to
 * placement. A node that cannot be looked at keeps its facts: saying that it is ill is the business of its health.
 */
export function startRedetection({ roster, everyMs, save, logger }: RedetectionOptions): Redetection {
  let running = false;
  let stopped = false;
  const detect = async (name: string): Promise<void> => {
    const node = roster.get(name);
    if (!node || stopped) return;
    try {
      const facts = await node.probe();
      // What else is said of the node may have changed meanwhile.
      const record = roster.record(name);
      if (stopped || !record || roster.get(name) !== node) return;
      const detected = { ...record, facts, probedAt: new Date().toISOString() };
      await save(detected);
      roster.refresh(detected);
    } catch (error) {
      logger.warn({ node: name, reason: (error as Error).message }, 'could not detect anew what a node has');
    }
  };
  const detectAll = async (): Promise<void> => {
    if (running) return;
    running = true;
    const names = roster.records().map(({ name }) => name).values(); // prettier-ignore
    const oneAfterTheOther = async (): Promise<void> => {
      for (const name of names) if (roster.record(name)?.state !== 'unreachable') await detect(name);
    };
    await Promise.all(Array.from({ length: atOnce }, oneAfterTheOther));
    running = false;
  };
  const timer = setInterval(() => void detectAll(), everyMs);
  return {
    detect,
    stop: () => {
      stopped = true;
      clearInterval(timer);
    },
  };
}

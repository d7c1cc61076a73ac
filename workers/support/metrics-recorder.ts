import type { Logger } from 'pino';
import type { Database } from '../../db/database.ts';
import { dropOldEvidence } from '../../db/node-evidence.ts';
import { condenseMetrics, insertSamples, type NodeSample } from '../../db/node-metrics.ts';
import type { Beat } from '../../fleet/node-link.ts';

const writeEveryMs = 5_000;
const condenseEveryMs = 60_000;
/** Of a database that is away for longer, the oldest samples are lost. */
const mostWaiting = 20_000;

/** Collects what nodes say of themselves, and writes it down in batches. */
export class MetricsRecorder {
  private readonly database: Database;
  private readonly logger: Logger;
  private waiting: NodeSample[] = [];
  private readonly timers: NodeJS.Timeout[];

  constructor(database: Database, logger: Logger) {
    this.database = database;
    this.logger = logger;
    const every = (ms: number, work: () => Promise<void>) =>
      setInterval(
        () => void work().catch((error: unknown) => this.logger.warn({ err: error }, 'metrics were not written')),
        ms,
      );
    this.timers = [
      every(writeEveryMs, () => this.write()),
      every(condenseEveryMs, async () => {
        await condenseMetrics(this.database);
        await dropOldEvidence(this.database);
      }),
    ];
  }

  take(node: string, { cpu, load, memoryFree, diskFree, latencyMs, clockOffsetMs }: Beat, busy: number): void {
    const at = new Date().toISOString();
    this.waiting.push({ node, at, cpu, load, memoryFree, diskFree, latencyMs, clockOffsetMs, busy });
    if (this.waiting.length > mostWaiting) this.waiting.splice(0, this.waiting.length - mostWaiting);
  }

  async stop(): Promise<void> {
    for (const timer of this.timers) clearInterval(timer);
    await this.write().catch(() => undefined);
  }

  private async write(): Promise<void> {
    const samples = this.waiting;
    this.waiting = [];
    try {
      await insertSamples(this.database, samples);
    } catch (error) {
      this.waiting = [...samples, ...this.waiting];
      throw error;
    }
  }
}

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { JsonValue } from '../../../contracts/llm.ts';
import type { ParseJob } from './parse-worker.ts';
import { noSymbols, packSymbols } from './symbols.ts';

const batchMs = 60_000;
const fileMs = 5_000;

/**
 * Parses in a thread: the event loop stays free, the memory that grammars grow to is given back, and a file on which a parser hangs or breaks costs that file alone.
 */
export class ParserThread {
  private worker: Worker | undefined;

  /** Packed symbols of each file, in order; a file that cannot be parsed has none. */
  async parse(jobs: ParseJob[]): Promise<JsonValue[]> {
    const answers = await this.attempt(jobs, batchMs);
    if (answers) return answers;
    const one: JsonValue[] = [];
    for (const job of jobs) one.push(...((await this.attempt([job], fileMs)) ?? [packSymbols(noSymbols)]));
    return one;
  }

  async close(): Promise<void> {
    await this.worker?.terminate();
    this.worker = undefined;
  }

  private async attempt(jobs: ParseJob[], timeoutMs: number): Promise<JsonValue[] | undefined> {
    const worker = (this.worker ??= startWorker());
    const ended = new AbortController();
    const exited = once(worker, 'exit', { signal: ended.signal }).then(() => undefined);
    try {
      worker.postMessage(jobs, []);
      const answered = once(worker, 'message', {
        signal: AbortSignal.any([ended.signal, AbortSignal.timeout(timeoutMs)]),
      });
      const answer = await Promise.race([answered.then(([answers]) => answers as JsonValue[]), exited]);
      if (answer) return answer;
    } catch {
      // The parser threw, or took too long.
    } finally {
      exited.catch(() => {});
      ended.abort();
    }
    await this.close();
    return undefined;
  }
}

function startWorker(): Worker {
  const worker = new Worker(new URL('./parse-worker.ts', import.meta.url), {
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: 512 },
  });
  // Whoever waits for an answer sees the error; one that comes when nobody waits must not end the process.
  worker.on('error', () => {});
  return worker;
}

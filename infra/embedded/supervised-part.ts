import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { identify, isAlive } from '../bootstrap/lock.mjs';
import type { ProcessIdentity } from '../bootstrap/lock.mjs';
import type { Logger } from '../../observability/logger.ts';
import type { LogPump } from './log-pump.ts';
import { stopping } from './part.ts';
import type { Part } from './part.ts';
import { endProcess } from './processes.ts';
import type { PartState } from './state.ts';

/** A part that dies sooner than this after its start, this many times in a row, is given up. */
const quickMs = 10_000;
const allowedQuickFailures = 5;
const firstDelayMs = 200;
const longestDelayMs = 5000;
const readyTimeoutMs = 60_000;

export interface SupervisedPartOptions {
  part: Part;
  pump: LogPump;
  log: Logger;
  /** Process of an earlier supervisor to adopt. */
  orphan: ProcessIdentity | null;
  /** Parts this one waits for by itself: a death while they do not run is not held against it. */
  needs: readonly { readonly isUsable: boolean }[];
  onChange: () => void;
}

/** Keeps one part running: starts it, watches it, starts it again when it dies, gives up when that does not help. */
export class SupervisedPart {
  readonly #options: SupervisedPartOptions;
  readonly #stopped = new AbortController();
  #state: PartState['state'] = 'starting';
  #identity: ProcessIdentity | null = null;
  #reason: string | undefined;
  /** Whether the process has ended; watched by event for a child, by its start time for an adopted process. */
  #hasGone: () => boolean = () => true;
  #loop: Promise<void> = Promise.resolve();

  constructor(options: SupervisedPartOptions) {
    this.#options = options;
    const { orphan } = options;
    if (!orphan || !isAlive(orphan)) return;
    this.#identity = orphan;
    this.#hasGone = () => !isAlive(orphan);
  }

  get state(): PartState {
    const { name, address } = this.#options.part;
    return {
      name,
      address,
      state: this.#state,
      identity: this.#identity,
      ...(this.#reason === undefined ? {} : { reason: this.#reason }),
    };
  }

  get isUsable(): boolean {
    return this.#state === 'running';
  }

  run(): void {
    this.#loop = this.#keepRunning();
  }

  /** Stops watching and leaves the process to the next supervisor. */
  async abandon(): Promise<void> {
    this.#stopped.abort();
    await this.#loop;
    this.#options.pump.close();
  }

  /** Ends the process and does not start it again. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#loop;
    await this.#end();
    this.#options.pump.close();
    this.#change('stopped');
  }

  async #keepRunning(): Promise<void> {
    let quickFailures = 0;
    while (!this.#stopped.signal.aborted) {
      const startedAt = Date.now();
      const failure = await this.#runOnce();
      if (this.#stopped.signal.aborted) return;
      const blamed = this.#options.needs.every((need) => need.isUsable);
      const wasQuick = failure !== null || Date.now() - startedAt < quickMs;
      quickFailures = blamed && wasQuick ? quickFailures + 1 : 0;
      this.#options.log.warn(
        { part: this.#options.part.name, failure, quickFailures },
        'part ended; starting it again',
      );
      if (quickFailures >= allowedQuickFailures) {
        this.#reason = failure ?? this.#options.pump.reason() ?? 'it ended without a word';
        this.#change('failed');
        return;
      }
      this.#change('starting');
      // The first start after a death comes at once.
      if (quickFailures > 1) await this.#pause(Math.min(firstDelayMs * 2 ** (quickFailures - 2), longestDelayMs));
    }
  }

  /** Starts the part, or takes the orphan, and returns when its process is gone: null, or why it could not be used. */
  async #runOnce(): Promise<string | null> {
    const { part, pump } = this.#options;
    try {
      pump.startAfresh();
      if (this.#identity === null) await this.#start();
    } catch (error) {
      return (error as Error).message;
    }
    this.#options.onChange();
    const deadline = Date.now() + readyTimeoutMs;
    while (!this.#hasGone() && !this.#stopped.signal.aborted) {
      if (await this.#answers()) break;
      if (Date.now() > deadline) {
        await this.#end();
        return `it did not answer at ${part.address} within ${readyTimeoutMs / 1000} s`;
      }
      await this.#pause(25);
    }
    if (!this.#hasGone() && !this.#stopped.signal.aborted) {
      this.#change('running');
      await this.#waitFor(this.#hasGone);
    }
    if (this.#stopped.signal.aborted) return null;
    this.#identity = null;
    return this.#state === 'running' ? null : (pump.reason() ?? 'it ended before it answered');
  }

  async #answers(): Promise<boolean> {
    return this.#options.part.isReady().catch((error: unknown) => {
      this.#options.log.debug({ part: this.#options.part.name, err: error }, 'part does not answer yet');
      return false;
    });
  }

  async #start(): Promise<void> {
    const { part, pump } = this.#options;
    const { command, args, ...options } = await part.prepare();
    const output = openSync(pump.rawPath, 'a', 0o600);
    try {
      // A session of its own: neither the terminal's Ctrl-C nor the supervisor's death reaches it.
      const child = spawn(command, args, { ...options, detached: true, stdio: ['ignore', output, output] });
      await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
      let gone = false;
      child.once('exit', () => (gone = true));
      this.#hasGone = () => gone;
      this.#identity = identify(child.pid!);
    } finally {
      closeSync(output);
    }
  }

  async #end(): Promise<void> {
    const { signal, timeoutMs } = stopping[this.#options.part.name];
    if (this.#identity) await endProcess(this.#identity, signal, timeoutMs);
    this.#identity = null;
  }

  async #waitFor(condition: () => boolean): Promise<void> {
    while (!this.#stopped.signal.aborted && !condition()) await this.#pause(50);
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stopped.signal }).catch(() => undefined);
  }

  #change(state: PartState['state']): void {
    this.#state = state;
    if (state === 'running') this.#reason = undefined;
    this.#options.onChange();
  }
}

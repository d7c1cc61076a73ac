import { condition, setHandler } from '@temporalio/workflow';
import { pauseSignal, resumeSignal } from './messages.ts';

/** Holds back new steps of a mode, or new calls of an agent, while their job is paused; what runs is left to finish. */
export class PauseGate {
  private closed = false;
  private readonly listeners = new Set<(closed: boolean) => Promise<void>>();

  constructor() {
    setHandler(pauseSignal, () => this.set(true));
    setHandler(resumeSignal, () => this.set(false));
  }

  get isClosed(): boolean {
    return this.closed;
  }

  async pass(): Promise<void> {
    if (this.closed) await condition(() => !this.closed);
  }

  /** Tells whoever works below this workflow. Returns what ends it. */
  onChange(listener: (closed: boolean) => Promise<void>): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  private async set(closed: boolean): Promise<void> {
    this.closed = closed;
    await Promise.all([...this.listeners].map((listener) => listener(closed)));
  }
}

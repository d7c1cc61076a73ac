import { condition, setHandler } from '@temporalio/workflow';
import { pauseSignal, resumeSignal } from './messages.ts';

/** Holds back new steps of a mode while its job is paused; steps that run are left to finish. */
export class PauseGate {
  private closed = false;

  constructor() {
    setHandler(pauseSignal, () => {
      this.closed = true;
    });
    setHandler(resumeSignal, () => {
      this.closed = false;
    });
  }

  async pass(): Promise<void> {
    if (this.closed) await condition(() => !this.closed);
  }
}

/**
 * Work that brings something up to date, done once at a time however often it is asked for: whoever asks while it is being done gets one more round, since it may
 * have looked already.
 */
export class Rounds {
  readonly #work: () => Promise<void>;
  #running: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  /** Resolves when a round that began after this has ended. Rejects as the work does. */
  async ask(): Promise<void> {
    if (this.#running) this.#again = true;
    else
      this.#running = this.#untilUpToDate().finally(() => {
        this.#running = undefined;
      });
    await this.#running;
  }

  /** No further round begins. Resolves when none is running any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running?.catch(() => undefined);
  }

  async #untilUpToDate(): Promise<void> {
    do {
      this.#again = false;
      await this.#work();
    } while (this.#again && !this.#stopped);
  }
}

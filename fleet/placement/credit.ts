/** A permit to poll: used when a task was found, released exactly once. */
export class Credit {
  private used = false;
  private released = false;
  private readonly onUse: () => void;
  private readonly onRelease: (used: boolean) => void;

  constructor(onUse: () => void, onRelease: (used: boolean) => void) {
    this.onUse = onUse;
    this.onRelease = onRelease;
  }

  markUsed(): void {
    if (this.used || this.released) return;
    this.used = true;
    this.onUse();
  }

  release(): void {
    if (this.released) return;
    this.released = true;
    this.onRelease(this.used);
  }
}

const shortestMs = 25;
const longestMs = 250;

/** The pauses between looks at something that grows: short while it does, longer and longer while it does not. */
export class Pace {
  #pauseMs = shortestMs;

  /** Ms until the next look. */
  next(hasGrown: boolean): number {
    this.#pauseMs = hasGrown ? shortestMs : Math.min(longestMs, this.#pauseMs * 1.25);
    return this.#pauseMs;
  }
}

/** How the node watches over commands. Whole numbers of polls are counted, never clocks. */
export interface AgentTiming {
  /** Seconds between two looks of the watchdog; may be a fraction where `sleep` takes one. */
  pollSeconds: number;
  /** A command whose lease was not renewed for so long is ended. */
  leaseSeconds: number;
  /** From TERM to KILL. */
  graceSeconds: number;
}

export const defaultTiming: AgentTiming = { pollSeconds: 1, leaseSeconds: 45, graceSeconds: 5 };

/** The polls after which a watchdog ends a command that has run, or was not asked for, too long; and the half KiB of a log that is too long. */
export function watchdogLimits(
  timing: AgentTiming,
  timeoutMs: number,
  logLimitBytes: number,
): [number, number, number] {
  const polls = (seconds: number): number => Math.ceil(seconds / timing.pollSeconds);
  // The watchdog comes second to an attached agent, so its limits are a little wider.
  return [polls(timeoutMs / 1000) + 3, polls(timing.leaseSeconds), Math.ceil(logLimitBytes / 512) + 1];
}

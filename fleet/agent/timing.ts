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

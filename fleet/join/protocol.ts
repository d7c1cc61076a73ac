import type { ErrorCode } from '../../contracts/error.ts';

/**
 * What a controller and a joining machine say to each other, as calls over one TLS connection that the machine opens. The controller calls `hello`,
 * `adopt`, `welcome`, `refuse`, and `receiveProgram` and `runProgram` for the agent; the machine calls `ping`. This is all that has to stay as it
 * is between versions: the agent comes from the controller.
 */
export const joinProtocol = 1;

export interface Hello {
  protocol: number;
  hostname: string;
}

/** What the machine shows from now on, kept by it before the node is put on record. */
export interface Adoption {
  name: string;
  registration: string;
  /** 32 bytes as base64url. */
  secret: string;
}

/** It is a node, and the agent runs. */
export interface Welcome {
  name: string;
}

/** The machine is not to come back. */
export interface Refusal {
  code: ErrorCode;
  message: string;
}

/**
 * When the machine has heard nothing for so long it asks, and how long either side bears hearing nothing at all: short enough that what runs is
 * re-attached before the controller gives it up.
 */
export const askAfterMs = 3_000;
export const silenceMs = 7_000;

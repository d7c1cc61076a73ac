import { setTimeout as sleep } from 'node:timers/promises';
import { HelixError } from '../../contracts/error.ts';
import { parseToken } from '../join/token.ts';
import { type Credential, Credentials } from './credential.ts';
import { reach, Unreached, type Way } from './reach.ts';
import { serveController } from './service.ts';

export interface JoinOptions {
  /** Not needed by a machine that has joined before. */
  token?: string | undefined;
  /** Absolute path of the folder where the node keeps everything. */
  root: string;
  /** Told in plain lines what happens. */
  say(line: string): void;
  /** Ends it. Commands that run go on until their leases end. */
  signal: AbortSignal;
}

const firstPauseMs = 250;
const longestPauseMs = 15_000;
/** A connection that held for so long was none of a row of failures. */
const steadyMs = 3_000;

/** As what the machine connects next. */
interface Role {
  kind: 'token' | 'pending' | 'accepted';
  way: Way;
}

/**
 * Makes this machine a node of the controller that made the token, and serves it until the signal; comes back with growing pauses whenever the
 * connection is lost. Throws what the controller refuses the machine with, and `node.unreachable` when it cannot be reached with a token.
 */
export async function joinFleet({ token, root, say, signal }: JoinOptions): Promise<void> {
  const machine = new JoiningMachine(root, token, say);
  for (let pause = firstPauseMs; !signal.aborted; pause = Math.min(pause * 2, longestPauseMs)) {
    const since = performance.now();
    const reason = await machine.serveOnce(signal);
    if (signal.aborted) break;
    if (machine.wasWelcome && performance.now() - since > steadyMs) pause = firstPauseMs;
    // Spread, so that many machines do not all come at the same moment.
    const wait = pause * (0.75 + Math.random() / 2);
    say(`${reason}; trying again in ${(wait / 1000).toFixed(1)} s`);
    await sleep(wait, undefined, { signal }).catch(() => undefined);
  }
  say('ended; what runs on this machine goes on for a while, and is ended if the machine does not come back');
}

class JoiningMachine {
  readonly #root: string;
  readonly #token: ReturnType<typeof parseToken> | undefined;
  readonly #credentials: Credentials;
  readonly #say: (line: string) => void;
  /** Whether the last connection got as far as being served. */
  wasWelcome = false;

  constructor(root: string, token: string | undefined, say: (line: string) => void) {
    this.#root = root;
    this.#token = token === undefined ? undefined : parseToken(token);
    this.#credentials = new Credentials(root);
    this.#say = say;
  }

  /** Connects and serves until the connection is lost; returns why it was, or why there was none. */
  async serveOnce(signal: AbortSignal): Promise<string> {
    const role = this.#role();
    this.wasWelcome = false;
    try {
      const socket = await reach(role.way, signal);
      return await serveController(
        socket,
        this.#root,
        {
          onAdoption: (adoption) => {
            const { addresses, identity } = role.way;
            this.#credentials.writePending({ ...adoption, addresses: [...addresses], token: identity.id });
          },
          onWelcome: ({ name }) => this.#welcome(name, role, `${socket.remoteAddress} port ${socket.remotePort}`),
        },
        signal,
      );
    } catch (error) {
      if (signal.aborted) return 'ended';
      if (error instanceof Unreached) return this.#unreached(role, error);
      if (error instanceof HelixError) return this.#refused(role, error);
      throw error;
    }
  }

  /** What may have been accepted without the machine having heard of it goes first. */
  #role(): Role {
    const token = this.#token;
    const fits = (credential: Credential | undefined): credential is Credential =>
      credential !== undefined && (token === undefined || credential.token === token.id);
    for (const kind of ['pending', 'accepted'] as const) {
      const credential = this.#credentials.read(kind);
      if (fits(credential)) return { kind, way: wayOf(credential) };
    }
    if (token) {
      const { addresses, id, secret } = token;
      return { kind: 'token', way: { addresses, identity: { kind: 'token', id }, secret } };
    }
    throw new HelixError(
      'usage.invalid',
      `this machine has not joined a fleet (${this.#root} holds no credential): make a token with "helix nodes token" on the controller and give it here`,
    );
  }

  #welcome(name: string, role: Role, controller: string): void {
    const { kind } = role;
    if (kind !== 'accepted') this.#credentials.accept();
    role.kind = 'accepted';
    this.wasWelcome = true;
    this.#say(
      kind === 'accepted'
        ? `node ${name} is connected to the controller (${controller})`
        : `this machine is node ${name} now, connected to the controller (${controller}); it comes back without the token`,
    );
  }

  #unreached({ kind }: Role, { message }: Unreached): string {
    if (kind !== 'token') return `the controller cannot be reached (${message})`;
    throw new HelixError(
      'node.unreachable',
      `the controller cannot be reached (${message}): see that it is up and that this machine may connect to it, or make a token with --address HOST:PORT`,
    );
  }

  /** Returns when there is another way to try. */
  #refused({ kind }: Role, refusal: HelixError): string {
    if (kind === 'token') {
      this.#credentials.remove('pending');
    } else if (refusal.code === 'node.removed') {
      this.#credentials.remove(kind);
      if (kind === 'pending' && this.#token) return 'the machine was not taken in before it was lost';
    }
    throw refusal;
  }
}

function wayOf({ addresses, registration, secret }: Credential): Way {
  return { addresses, identity: { kind: 'node', id: registration }, secret };
}

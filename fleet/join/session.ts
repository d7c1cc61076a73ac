import type { Duplex } from 'node:stream';
import { z } from 'zod';
import { HelixError } from '../../contracts/error.ts';
import { RpcConnection } from '../wire/connection.ts';
import type { JoinIdentity } from './controller-key.ts';
import { type Adoption, type Hello, joinProtocol, type Refusal, type Welcome } from './protocol.ts';

const helloSchema = z.object({ protocol: z.number(), hostname: z.string().max(300) });

const answerMs = 10_000;
/** What is said at the end is given so long to get through. */
const lastWordMs = 2_000;

/** A machine that has connected and shown who it is, as the controller sees it. It serves one agent, and then the machine connects anew. */
export class JoinSession {
  readonly identity: JoinIdentity;
  /** Where it comes from, for messages. */
  readonly from: string;
  readonly connection: RpcConnection;
  /** Called when its agent's connection is closed from this side; closes the session unless told otherwise. */
  onRelease: () => void = () => this.close();

  constructor(socket: Duplex, identity: JoinIdentity, from: string) {
    this.identity = identity;
    this.from = from;
    this.connection = new RpcConnection(socket, socket, { ping: async () => null });
    this.connection.onClose(() => socket.destroy());
  }

  /** Throws `node.unsuitable` when the machine speaks another version of the protocol. */
  async hello(): Promise<Hello> {
    const answer = helloSchema.safeParse(await this.#ask('hello', { protocol: joinProtocol }));
    if (!answer.success) throw new HelixError('node.unsuitable', 'the machine answers with what is no greeting');
    const hello: Hello = answer.data;
    if (hello.protocol === joinProtocol) return hello;
    throw new HelixError(
      'node.unsuitable',
      `this machine and the controller are of HelixCode versions too far apart (${hello.protocol} and ${joinProtocol}): install the controller's there`,
    );
  }

  async adopt(adoption: Adoption): Promise<void> {
    await this.#ask('adopt', adoption);
  }

  async welcome(welcome: Welcome): Promise<void> {
    await this.#ask('welcome', welcome);
  }

  /** Tells the machine not to come back, and why; then closes. */
  async refuse({ code, message }: HelixError): Promise<void> {
    this.onRelease = () => undefined;
    await Promise.race([
      this.connection.call('refuse', { code, message } satisfies Refusal).catch(() => undefined),
      new Promise((resolve) => setTimeout(resolve, lastWordMs).unref()),
    ]);
    this.close();
  }

  /** The machine comes back. */
  close(): void {
    this.connection.close();
  }

  async #ask<Result>(method: string, parameters: unknown): Promise<Result> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const error = new HelixError('node.unreachable', `${this.from} did not answer within ${answerMs / 1000} s`);
      timer = setTimeout(() => reject(error), answerMs);
    });
    try {
      return await Promise.race([this.connection.call<Result>(method, parameters), late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

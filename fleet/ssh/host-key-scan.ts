import { createECDH, randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { lastWords } from '../last-words.ts';
import { certifiedName } from './certificate.ts';
import { signatureAlgorithms } from './signature-algorithms.ts';
import { WireReader, wireString } from './wire-reader.ts';

/** The other side closed the connection before it said who it is, as a server does that is being greeted by many at once. */
export class HungUp extends Error {
  constructor() {
    super('it closed the connection');
  }
}

const message = { disconnect: 1, ignore: 2, debug: 4, keyExchange: 20, exchangeInit: 30, exchangeReply: 31 };
const longestPacket = 35_000;
const mostLinesBefore = 1024;
const timeoutMs = 5_000;

const certificateAlgorithms = signatureAlgorithms.map(certifiedName);
/** What is sent for each of them; the secrets behind it are not needed, because nothing is read after the answer. */
const exchanges: Record<string, () => Buffer> = {
  'curve25519-sha256': () => randomBytes(32),
  'curve25519-sha256@libssh.org': () => randomBytes(32),
  'ecdh-sha2-nistp256': () => createECDH('prime256v1').generateKeys(),
};
const ciphers = 'chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes256-ctr';
const macs = 'hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha2-512';

/**
 * Asks an SSH server for the certificate of its host key, as `ssh-keyscan -c` does, and hangs up. Nothing proves yet that the server has
 * the key: a certificate says whose it is, and the handshake of a connection with that key proves the rest.
 * Throws HungUp, or an Error that says in a few words why there is none.
 */
export async function scanHostCertificate(socket: Duplex): Promise<Buffer> {
  const timeout = setTimeout(() => socket.destroy(new Error('it does not answer')), timeoutMs);
  try {
    return await scan(socket);
  } finally {
    clearTimeout(timeout);
    socket.on('error', () => {});
    socket.destroy();
  }
}

async function scan(socket: Duplex): Promise<Buffer> {
  const incoming = new Incoming(socket);
  socket.write('SSH-2.0-HelixCode\r\n');
  socket.write(toPacket(keyExchange()));
  await incoming.hello();
  const offer = new WireReader(await incoming.packet(message.keyExchange));
  offer.bytes(1 + 16);
  const theirs = offer.text().split(',');
  const hostKeys = offer.text().split(',');
  const exchange = Object.keys(exchanges).find((name) => theirs.includes(name));
  if (!exchange) throw new Error(`it knows no key exchange of ${Object.keys(exchanges).join(', ')}`);
  if (!certificateAlgorithms.some((name) => hostKeys.includes(name))) throw new Error('it has none');
  socket.write(toPacket(Buffer.concat([Buffer.from([message.exchangeInit]), wireString(exchanges[exchange]!())])));
  const reply = new WireReader(await incoming.packet(message.exchangeReply));
  reply.byte();
  return reply.string();
}

function keyExchange(): Buffer {
  const lists = [Object.keys(exchanges).join(','), certificateAlgorithms.join(','), ciphers, ciphers, macs, macs];
  return Buffer.concat([
    Buffer.from([message.keyExchange]),
    randomBytes(16),
    ...[...lists, 'none', 'none', '', ''].map(wireString),
    Buffer.alloc(1 + 4),
  ]);
}

/** With padding to a multiple of eight, at least four bytes. */
function toPacket(payload: Buffer): Buffer {
  const padding = 4 + ((8 - ((5 + payload.length + 4) % 8)) % 8);
  return wireString(Buffer.concat([Buffer.from([padding]), payload, randomBytes(padding)]));
}

/** What the server says. */
class Incoming {
  readonly #chunks: AsyncIterator<Buffer>;
  #buffer = Buffer.alloc(0);
  #greeted = false;

  constructor(socket: Duplex) {
    this.#chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /** Any lines, and then that it speaks SSH. */
  async hello(): Promise<void> {
    for (let lines = 0; lines < mostLinesBefore; lines += 1) {
      while (!this.#buffer.includes('\n')) {
        if (this.#buffer.length > longestPacket) throw new Error('it does not speak SSH');
        await this.#more();
      }
      const line = this.#take(this.#buffer.indexOf('\n') + 1).toString('latin1');
      if (line.startsWith('SSH-')) return void (this.#greeted = true);
    }
    throw new Error('it does not speak SSH');
  }

  /** The payload of the next packet, which has to be of this type. */
  async packet(type: number): Promise<Buffer> {
    for (;;) {
      while (this.#buffer.length < 4) await this.#more();
      const length = this.#take(4).readUInt32BE();
      if (length > longestPacket) throw new Error('it does not speak SSH');
      while (this.#buffer.length < length) await this.#more();
      const packet = this.#take(length);
      const payload = packet.subarray(1, Math.max(1, length - (packet[0] ?? 0)));
      if (payload[0] === type) return payload;
      if (payload[0] === message.disconnect) throw new Error(disconnection(payload));
      if (payload[0] !== message.ignore && payload[0] !== message.debug) throw new Error('it says something else');
    }
  }

  async #more(): Promise<void> {
    const { value, done } = await this.#chunks.next().catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET') return { value: undefined, done: true as const };
      throw error;
    });
    if (!done) this.#buffer = Buffer.concat([this.#buffer, value]);
    else throw this.#greeted ? new Error('it closed the connection') : new HungUp();
  }

  #take(count: number): Buffer {
    const taken = this.#buffer.subarray(0, count);
    this.#buffer = this.#buffer.subarray(count);
    return taken;
  }
}

function disconnection(payload: Buffer): string {
  const reader = new WireReader(payload);
  reader.bytes(1 + 4);
  return lastWords(reader.text());
}

/**
 * Certificates for ssh2, which knows none. It shows whatever a key says that its public part is, but names one algorithm for both the key
 * and the signature, and with a certificate these are two: sshd refuses a certificate's algorithm in a signature. All that depends on how
 * ssh2 works inside is in this file, and is looked at before it is relied on.
 */
import { createRequire } from 'node:module';
import type { Client, ParsedKey } from 'ssh2';
import { HelixError } from '../../contracts/error.ts';
import { certifiedName, isCertificate, type Certificate } from './certificate.ts';
import { WireReader, wireString } from './wire-reader.ts';

/** The parts of ssh2's Protocol.js and utils.js that are used. */
interface Protocol {
  /** Asks whether a key would do, or, given `sign`, logs in with it. Algorithms are those of signatures. */
  authPK(username: string, key: ParsedKey, algorithm: string | undefined, sign?: Sign): void;
  _packetRW: { write: { allocStart: number; alloc(bytes: number): Buffer; finalize(packet: Buffer): Buffer } };
  /** What each answer of the server is to. */
  _authsQueue: string[];
}
type Sign = (data: Buffer, done: (signature: Buffer) => void) => void;
interface Utils {
  sendPacket(protocol: Protocol, packet: Buffer): void;
  /** From what Node makes to what SSH wants; leaves alone what is so already. */
  convertSignature(signature: Buffer, keyType: string): Buffer | undefined;
}

const require = createRequire(import.meta.url);

/** The same key, shown with its certificate. ssh2 recognises its own keys by what they inherit, so this one passes for one of them. */
export function certifiedKey(key: ParsedKey, certificate: Certificate): ParsedKey {
  return Object.create(key, { getPublicSSH: { value: () => certificate.blob } }) as ParsedKey;
}

/**
 * Makes a client able to log in with certified keys. To be called when it has begun to connect.
 * Throws `internal` when ssh2 is not built as expected.
 */
export function allowCertificates(client: Client): void {
  const protocol = (client as unknown as { _protocol?: Protocol })._protocol;
  const utils = require('ssh2/lib/protocol/utils.js') as Utils;
  const writer = protocol?._packetRW?.write;
  const asExpected =
    protocol?.authPK?.length === 4 &&
    typeof writer?.allocStart === 'number' &&
    typeof writer.alloc === 'function' &&
    typeof writer.finalize === 'function' &&
    Array.isArray(protocol._authsQueue) &&
    typeof utils.sendPacket === 'function' &&
    typeof utils.convertSignature === 'function';
  if (!asExpected) throw otherInside();
  const plain = protocol.authPK.bind(protocol);
  protocol.authPK = (username, key, algorithm, sign) => {
    if (!isCertificate(key.getPublicSSH())) return plain(username, key, algorithm, sign);
    const signing = algorithm ?? key.type;
    const showing = certifiedName(signing);
    if (!sign) return plain(username, key, showing);
    // ssh2 writes down what is to be signed; the request is the same with the signature behind it.
    plain(username, key, showing, (data) => {
      const request = withoutSession(data, showing, key.getPublicSSH());
      sign(data, (signature) => {
        const converted = utils.convertSignature(signature, key.type);
        if (!converted) return void client.emit('error', otherInside());
        const whole = Buffer.concat([request, wireString(Buffer.concat([wireString(signing), wireString(converted)]))]);
        // Not the writer that was there at the beginning: encryption brings another.
        const { write } = protocol._packetRW;
        const packet = write.alloc(whole.length);
        packet.set(whole, write.allocStart);
        protocol._authsQueue.push('publickey');
        utils.sendPacket(protocol, write.finalize(packet));
      });
    });
  };
}

/** What is signed begins with the session's id and ends with the algorithm and the key. */
function withoutSession(data: Buffer, algorithm: string, key: Buffer): Buffer {
  const reader = new WireReader(data);
  reader.string();
  const request = data.subarray(reader.passed.length);
  const end = Buffer.concat([wireString('publickey'), Buffer.from([1]), wireString(algorithm), wireString(key)]);
  if (!request.subarray(-end.length).equals(end)) throw otherInside();
  return request;
}

function otherInside(): HelixError {
  const { version } = require('ssh2/package.json') as { version: string };
  return new HelixError(
    'internal',
    `OpenSSH certificates do not go with the installed ssh2 ${version}, which works in another way inside: install the version that HelixCode's package.json names`,
  );
}

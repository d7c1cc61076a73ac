import { connect } from 'node:net';
import { WireReader } from './wire-reader.ts';

export interface AgentIdentity {
  /** A public key or a certificate, as it goes over the wire. */
  blob: Buffer;
  comment: string;
}

const request = Buffer.from([0, 0, 0, 1, 11]);
const answerType = 12;
/** The longest answer that OpenSSH's own client takes. */
const mostBytes = 256 * 1024;
const patienceMs = 5_000;

/**
 * What an SSH agent holds, certificates too, which ssh2 leaves out of its list. An agent that does not answer as one holds nothing: its
 * socket often outlives it, and then other keys are still to be tried.
 */
export async function listIdentities(socketPath: string): Promise<AgentIdentity[]> {
  try {
    return readIdentities(await ask(socketPath));
  } catch {
    return [];
  }
}

function ask(socketPath: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    let answer = Buffer.alloc(0);
    socket.setTimeout(patienceMs, () => socket.destroy(new Error('it does not answer')));
    socket.once('connect', () => socket.write(request));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('it hung up')));
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      if (answer.length < 4) return;
      const length = answer.readUInt32BE();
      if (length > mostBytes) socket.destroy(new Error('its answer is too long'));
      if (answer.length < 4 + length) return;
      resolve(answer.subarray(4, 4 + length));
      socket.destroy();
    });
  });
}

function readIdentities(answer: Buffer): AgentIdentity[] {
  const reader = new WireReader(answer);
  if (reader.byte() !== answerType) return [];
  const count = reader.uint32();
  const identities: AgentIdentity[] = [];
  while (identities.length < count) identities.push({ blob: reader.string(), comment: reader.text() });
  return identities;
}

import type { Writable } from 'node:stream';

/** Frame: length of what follows (u32), kind (u8), channel (u32), body. Numbers are big-endian. */
export const frameKinds = { open: 1, result: 2, failure: 3, event: 4, data: 5, end: 6, credit: 7, abort: 8 } as const;
export type FrameKind = (typeof frameKinds)[keyof typeof frameKinds];

export interface Frame {
  kind: FrameKind;
  channel: number;
  body: Buffer;
}

const headerBytes = 9;
/** Larger than any frame either side sends, so that garbage on the line is noticed and not allocated. */
const maximumBody = 64 * 1024 * 1024;

/** Takes bytes as they come and gives whole frames. Throws on what cannot be a frame. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  *push(chunk: Buffer): Generator<Frame> {
    let buffer = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (buffer.length >= headerBytes) {
      const length = buffer.readUInt32BE(0) - (headerBytes - 4);
      if (length < 0 || length > maximumBody)
        throw new Error(`the stream holds no frame: a body of ${length} bytes is announced`);
      if (buffer.length < headerBytes + length) break;
      yield {
        kind: buffer.readUInt8(4) as FrameKind,
        channel: buffer.readUInt32BE(5),
        body: buffer.subarray(headerBytes, headerBytes + length),
      };
      buffer = buffer.subarray(headerBytes + length);
    }
    this.#rest = buffer;
  }
}

/** Writes a frame; false when the stream asks to wait for `drain`. */
export function writeFrame(
  output: Writable,
  kind: FrameKind,
  channel: number,
  body: Buffer = Buffer.alloc(0),
): boolean {
  const header = Buffer.allocUnsafe(headerBytes);
  header.writeUInt32BE(headerBytes - 4 + body.length, 0);
  header.writeUInt8(kind, 4);
  header.writeUInt32BE(channel, 5);
  return output.write(body.length === 0 ? header : Buffer.concat([header, body]));
}

import type { FileHandle } from 'node:fs/promises';

/** A value of the header. Long lists, as those of the vocabulary, are passed over and stand as an empty list. */
export type GgufValue = string | number | boolean | GgufValue[];

const chunkBytes = 1 << 20;
/** Longer lists are of the vocabulary. */
const longestList = 1024;
/** Longer texts are not of a header. */
const longestText = 16 << 20;
const types = { bool: 7, string: 8, array: 9 } as const;
const sizes: Readonly<Record<number, number>> = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  4: 4,
  5: 4,
  6: 4,
  7: 1,
  10: 8,
  11: 8,
  12: 8,
};

/** Reads the header of a GGUF file (versions 2 and 3, little-endian) piece by piece. It is hostile: every length in it is checked. */
export class GgufReader {
  readonly #file: FileHandle;
  #buffer = Buffer.alloc(0);
  /** Where in the file the buffer begins. */
  #start = 0;
  /** Where in the buffer reading goes on. */
  #at = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Throws an Error that says what is wrong. */
  async metadata(): Promise<Map<string, GgufValue>> {
    if ((await this.#take(4)).toString('latin1') !== 'GGUF') throw new Error('it does not begin with GGUF');
    const version = (await this.#take(4)).readUInt32LE();
    if (version !== 2 && version !== 3) throw new Error(`its version ${version} is not known`);
    await this.#long();
    const count = await this.#long();
    const found = new Map<string, GgufValue>();
    for (let index = 0; index < count; index += 1) {
      const key = await this.#text();
      found.set(key, await this.#value((await this.#take(4)).readUInt32LE()));
    }
    return found;
  }

  async #value(type: number): Promise<GgufValue> {
    if (type === types.string) return this.#text();
    if (type === types.array) return this.#list();
    const size = sizes[type];
    if (size === undefined) throw new Error(`it holds a value of the unknown type ${type}`);
    return scalar(type, await this.#take(size));
  }

  async #list(): Promise<GgufValue[]> {
    const type = (await this.#take(4)).readUInt32LE();
    const length = await this.#long();
    const keep = length <= longestList;
    const size = sizes[type];
    if (!keep && size !== undefined) {
      this.#skip(length * size);
      return [];
    }
    const values: GgufValue[] = [];
    for (let index = 0; index < length; index += 1) {
      if (keep) values.push(await this.#value(type));
      else if (type === types.string) this.#skip(await this.#long());
      else throw new Error('it holds a list of lists');
    }
    return values;
  }

  async #text(): Promise<string> {
    const length = await this.#long();
    if (length > longestText) throw new Error('it holds a text that is too long');
    return (await this.#take(length)).toString('utf8');
  }

  async #long(): Promise<number> {
    const value = (await this.#take(8)).readBigUInt64LE();
    if (value > 1n << 40n) throw new Error('it holds a length that cannot be');
    return Number(value);
  }

  #skip(bytes: number): void {
    this.#at += bytes;
  }

  async #take(bytes: number): Promise<Buffer> {
    if (this.#at + bytes > this.#buffer.length) await this.#fill(bytes);
    const taken = this.#buffer.subarray(this.#at, this.#at + bytes);
    this.#at += bytes;
    return taken;
  }

  async #fill(bytes: number): Promise<void> {
    const from = this.#start + this.#at;
    const buffer = Buffer.alloc(Math.max(bytes, chunkBytes));
    let filled = 0;
    while (filled < bytes) {
      const { bytesRead } = await this.#file.read(buffer, filled, buffer.length - filled, from + filled);
      if (bytesRead === 0) throw new Error('it ends in the middle of its header');
      filled += bytesRead;
    }
    this.#buffer = buffer.subarray(0, filled);
    this.#start = from;
    this.#at = 0;
  }
}

function scalar(type: number, bytes: Buffer): number | boolean {
  switch (type) {
    case 0:
      return bytes.readUInt8();
    case 1:
      return bytes.readInt8();
    case 2:
      return bytes.readUInt16LE();
    case 3:
      return bytes.readInt16LE();
    case 4:
      return bytes.readUInt32LE();
    case 5:
      return bytes.readInt32LE();
    case 6:
      return bytes.readFloatLE();
    case types.bool:
      return bytes.readUInt8() !== 0;
    case 10:
      return Number(bytes.readBigUInt64LE());
    case 11:
      return Number(bytes.readBigInt64LE());
    default:
      return bytes.readDoubleLE();
  }
}

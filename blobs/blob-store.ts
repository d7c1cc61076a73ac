import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { link, mkdir, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** Content-addressed storage for what is too large for histories and rows: logs, plans, reports, patches. */
export interface BlobStore {
  /** Stores bytes and returns their SHA-256 as 64 hexadecimal digits. */
  put(content: Buffer | string): Promise<string>;
  /** Takes a copy of a file (a hard link where the file system allows it) and returns its hash. */
  adopt(file: string): Promise<string>;
  get(hash: string): Promise<Buffer | undefined>;
}

/** A blob store in a folder. Writing is atomic; the same content is stored once. */
export function createBlobStore(dir: string): BlobStore {
  const pathOf = (hash: string): string => {
    if (!/^[0-9a-f]{64}$/.test(hash))
      throw new TypeError(`"${hash}" is no blob hash: it has to be 64 hexadecimal digits`);
    return join(dir, hash.slice(0, 2), hash.slice(2));
  };

  /** Runs `write` on a temporary name beside the final one, then renames: a reader never sees half a blob. */
  const place = async (hash: string, write: (temporary: string) => Promise<void>): Promise<string> => {
    const path = pathOf(hash);
    if (existsSync(path)) return hash;
    const temporary = `${path}.${randomUUID()}`;
    await mkdir(dirname(path), { recursive: true });
    try {
      await write(temporary);
      await rename(temporary, path);
    } catch (error) {
      await unlink(temporary).catch(() => undefined);
      throw error;
    }
    return hash;
  };

  return {
    async put(content) {
      const hash = createHash('sha256').update(content).digest('hex');
      return await place(hash, (temporary) => writeFile(temporary, content));
    },

    async adopt(file) {
      const hasher = createHash('sha256');
      await pipeline(createReadStream(file), hasher);
      return await place(hasher.digest('hex'), (temporary) => link(file, temporary));
    },

    async get(hash) {
      try {
        return await readFile(pathOf(hash));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    },
  };
}

import { constants, type FileHandle, mkdir, open, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** The output of steps while they run and after: one file for each execution, written by offset so that writing twice changes nothing. */
export interface StepLogs {
  /** Bytes held; 0 for an execution that has printed nothing. */
  size(executionId: string): Promise<number>;
  openWriter(executionId: string): StepLogWriter;
  /** Up to `limit` bytes from `offset`; empty at the end. */
  read(executionId: string, offset: number, limit: number): Promise<Buffer>;
  path(executionId: string): string;
  /** Begins anew: what was written so far is no part of the output any more. */
  discard(executionId: string): Promise<void>;
  /** Gives an execution the log of an earlier one whose result it reuses. */
  copyFrom(executionId: string, file: Buffer): Promise<void>;
}

export interface StepLogWriter {
  write(chunk: Uint8Array, offset: number): Promise<void>;
  close(): Promise<void>;
}

export function createStepLogs(dir: string): StepLogs {
  const path = (executionId: string): string => {
    if (!/^[a-z0-9-]{1,100}$/.test(executionId)) throw new TypeError(`"${executionId}" is no execution id`);
    return join(dir, executionId.slice(0, 2), `${executionId}.log`);
  };

  return {
    path,

    async size(executionId) {
      try {
        return (await stat(path(executionId))).size;
      } catch (error) {
        if (isMissing(error)) return 0;
        throw error;
      }
    },

    openWriter(executionId) {
      const name = path(executionId);
      let opened: Promise<FileHandle> | undefined;
      return {
        async write(chunk, offset) {
          opened ??= openForWriting(name);
          const file = await opened;
          for (let done = 0; done < chunk.length;) {
            done += (await file.write(chunk, done, chunk.length - done, offset + done)).bytesWritten;
          }
        },
        close: async () => await (await opened)?.close(),
      };
    },

    async read(executionId, offset, limit) {
      let file: FileHandle;
      try {
        file = await open(path(executionId), 'r');
      } catch (error) {
        if (isMissing(error)) return Buffer.alloc(0);
        throw error;
      }
      try {
        const { size } = await file.stat();
        const buffer = Buffer.alloc(Math.max(0, Math.min(limit, size - offset)));
        const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
        return buffer.subarray(0, bytesRead);
      } finally {
        await file.close();
      }
    },

    discard: (executionId) => rm(path(executionId), { force: true }),

    async copyFrom(executionId, content) {
      const file = await openForWriting(path(executionId));
      try {
        await file.writeFile(content);
      } finally {
        await file.close();
      }
    },
  };
}

/** Opens without truncating, so that a second writer goes on where the first was killed. */
async function openForWriting(path: string): Promise<FileHandle> {
  const flags = constants.O_RDWR | constants.O_CREAT;
  try {
    return await open(path, flags);
  } catch (error) {
    if (!isMissing(error)) throw error;
    await mkdir(dirname(path), { recursive: true });
    return await open(path, flags);
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

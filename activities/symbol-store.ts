import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JsonValue } from '../contracts/llm.ts';
import type { SymbolStore } from '../llm/context/repository-map/symbol-cache.ts';

/** A cache in a folder. What is lost or cannot be read is made again. */
export function createSymbolStore(dir: string): SymbolStore {
  const pathOf = (key: string): string => join(dir, `${createHash('sha256').update(key).digest('hex')}.json`);
  return {
    async get(key) {
      try {
        return JSON.parse(await readFile(pathOf(key), 'utf8')) as JsonValue;
      } catch {
        return undefined;
      }
    },
    async put(key, value) {
      await mkdir(dir, { recursive: true });
      const temporary = join(dir, randomUUID());
      await writeFile(temporary, JSON.stringify(value));
      await rename(temporary, pathOf(key));
    },
  };
}

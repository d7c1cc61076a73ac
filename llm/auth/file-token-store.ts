import { randomUUID } from 'node:crypto';
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HelixError } from '../../contracts/error.ts';
import { withFileLock } from './file-lock.ts';
import { tokenSchema } from './token-store.ts';
import type { Token, TokenStore } from './token-store.ts';

/** Keeps every token in a file of its own that only its owner can read. Writes are whole or not at all. */
export class FileTokenStore implements TokenStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Throws `llm.not-configured` for a file that holds no token, without saying what it does hold. */
  async get(name: string): Promise<Token | undefined> {
    const path = this.#path(name, 'json');
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    try {
      return tokenSchema.parse(JSON.parse(text));
    } catch {
      throw new HelixError(
        'llm.not-configured',
        `${path} holds no token that can be read. Remove it and log in to ${name} again.`,
        {
          details: { path },
        },
      );
    }
  }

  async put(name: string, token: Token): Promise<void> {
    await this.#makeDirectory();
    const path = this.#path(name, 'json');
    const fresh = `${path}.${randomUUID()}`;
    try {
      await writeFile(fresh, JSON.stringify(token), { mode: 0o600, flag: 'wx', flush: true });
      await rename(fresh, path);
    } catch (error) {
      await rm(fresh, { force: true });
      throw error;
    }
  }

  async exclusively<T>(name: string, use: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#makeDirectory();
    return withFileLock(this.#path(name, 'lock'), use, signal);
  }

  async #makeDirectory(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    await chmod(this.#directory, 0o700);
  }

  #path(name: string, extension: string): string {
    return join(this.#directory, `${name}.${extension}`);
  }
}

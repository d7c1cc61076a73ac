import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { HelixError } from '../../contracts/error.ts';

const credentialSchema = z.object({
  addresses: z.array(z.string()).min(1),
  name: z.string(),
  registration: z.string(),
  secret: z.string(),
  /** Id of the token that it was given for. */
  token: z.string(),
});

/** What a machine comes back with, and where to. */
export type Credential = z.infer<typeof credentialSchema>;

/**
 * Credentials below a node's folder, for nobody else to read. One is `pending` from before the controller puts the node on record until it has
 * said that it has: whatever dies in between, it is tried first.
 */
export class Credentials {
  readonly #folder: string;

  constructor(root: string) {
    this.#folder = join(root, 'join');
  }

  /** Throws `usage.invalid` when the file cannot be understood. */
  read(which: 'pending' | 'accepted'): Credential | undefined {
    const file = this.#file(which);
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw unusable(file, (error as Error).message);
    }
    try {
      return credentialSchema.parse(JSON.parse(text));
    } catch {
      throw unusable(file, 'it is not what was written there');
    }
  }

  /** Throws `usage.invalid` when the folder cannot be written. */
  writePending(credential: Credential): void {
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      chmodSync(this.#folder, 0o700);
      const draft = this.#file('draft');
      rmSync(draft, { force: true });
      writeFileSync(draft, `${JSON.stringify(credential)}\n`, { mode: 0o600, flag: 'wx', flush: true });
      renameSync(draft, this.#file('pending'));
    } catch (error) {
      throw unusable(this.#folder, (error as Error).message);
    }
  }

  /** The controller has said that the node is on record. */
  accept(): void {
    renameSync(this.#file('pending'), this.#file('accepted'));
  }

  remove(which: 'pending' | 'accepted'): void {
    rmSync(this.#file(which), { force: true });
  }

  #file(which: 'pending' | 'accepted' | 'draft'): string {
    return join(this.#folder, `${which === 'accepted' ? 'credential' : which}.json`);
  }
}

function unusable(path: string, reason: string): HelixError {
  return new HelixError(
    'usage.invalid',
    `${path} cannot be used (${reason}): put it right, remove it and join with a new token, or choose another folder with --root`,
  );
}

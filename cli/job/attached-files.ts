import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import type { HelixClient } from '../../client/client.ts';
import { type Attachment, checkAttached, mostAttachedBytes, readAttachment } from '../../contracts/attachment.ts';
import { HelixError } from '../../contracts/error.ts';

export interface LocalFile {
  name: string;
  content: Buffer;
}

/** For options that may be given several times. */
export const attachOption = [
  '--attach <file>',
  'an image or a text for the agent; may be given several times',
] as const;

/** The files, checked as the API will check them. Throws `usage.invalid` that names the one at fault. */
export async function readFiles(paths: readonly string[]): Promise<LocalFile[]> {
  const files = await Promise.all(paths.map(readOne));
  checkAttached(files.map(({ content }) => content.length));
  return files;
}

/** Uploads the files, as members of a request or a message; none when there are none. */
export async function attached(
  client: HelixClient,
  files: readonly LocalFile[],
): Promise<{ attachments?: Attachment[] }> {
  if (files.length === 0) return {};
  const stored = await Promise.all(files.map(({ name, content }) => client.uploadFile(name, content)));
  return { attachments: stored.map(({ name, hash }) => ({ name, hash })) };
}

async function readOne(given: string): Promise<LocalFile> {
  // At the prompt of a chat there is no shell that would know the home.
  const path = given.startsWith('~/') ? join(homedir(), given.slice(2)) : given;
  const name = basename(path);
  try {
    const { size } = await stat(path);
    // What can never be attached is not read into memory first.
    if (size > mostAttachedBytes) checkAttached([size]);
    const content = await readFile(path);
    readAttachment(name, content);
    return { name, content };
  } catch (error) {
    if (error instanceof HelixError) throw error;
    throw new HelixError('usage.invalid', `${path} cannot be attached: ${(error as Error).message}`, { cause: error });
  }
}

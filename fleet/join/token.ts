import { createHash } from 'node:crypto';
import { z } from 'zod';
import { HelixError } from '../../contracts/error.ts';

/** What a machine needs to join. */
export interface JoinToken {
  /** Where the controller may be found, `HOST:PORT` each, in the order in which they are tried. */
  addresses: string[];
  id: string;
  /** 32 bytes as base64url. */
  secret: string;
}

const prefix = 'hxjoin1_';
const checkBytes = 4;

const contentSchema = z.tuple([
  z.array(z.string().regex(/^.+:\d{1,5}$/)).min(1),
  z.string().regex(/^[0-9a-f]{16}$/),
  z.string().regex(/^[A-Za-z0-9_-]{43}$/),
]);

/** One word without characters that mean something to a shell. Its end tells whether all of it was copied. */
export function formatToken({ addresses, id, secret }: JoinToken): string {
  const content = Buffer.from(JSON.stringify([addresses, id, secret] satisfies z.infer<typeof contentSchema>));
  return prefix + Buffer.concat([content, checkOf(content)]).toString('base64url');
}

/** Throws `usage.invalid`, without any of the text. */
export function parseToken(text: string): JoinToken {
  const wrong = (what: string): HelixError =>
    new HelixError('usage.invalid', `${what}: copy all of what "helix nodes token" printed, or make another one`);
  const word = text.trim();
  if (!word.startsWith(prefix)) throw wrong(`a token to join with begins with ${prefix}, which this does not`);
  const bytes = Buffer.from(word.slice(prefix.length), 'base64url');
  const content = bytes.subarray(0, -checkBytes);
  if (bytes.length <= checkBytes || !checkOf(content).equals(bytes.subarray(-checkBytes)))
    throw wrong('the token is not whole');
  const parsed = contentSchema.safeParse(JSON.parse(content.toString()));
  if (!parsed.success) throw wrong('the token is of another version of HelixCode');
  const [addresses, id, secret] = parsed.data;
  return { addresses, id, secret };
}

function checkOf(content: Buffer): Buffer {
  return createHash('sha256').update(content).digest().subarray(0, checkBytes);
}

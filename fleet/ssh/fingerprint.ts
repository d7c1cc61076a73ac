import { createHash } from 'node:crypto';

/** `SHA256:` and 43 base64 characters, as OpenSSH prints it. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

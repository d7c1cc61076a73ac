import { createHmac } from 'node:crypto';

export interface HostKeys {
  trusted: Buffer[];
  revoked: Buffer[];
  /** Keys that sign the certificates of the host. */
  authorities: Buffer[];
}

const lists: Record<string, keyof HostKeys> = {
  '': 'trusted',
  '@revoked': 'revoked',
  '@cert-authority': 'authorities',
};

/**
 * The keys that a known_hosts file has for a host: plain, hashed and wildcard names, `[host]:port`, negations, `@revoked`,
 * `@cert-authority`. A line with one of these marks and no port is for every port.
 */
export function lookUpHost(text: string, host: string, port: number): HostKeys {
  const bare = host.toLowerCase();
  const address = port === 22 ? bare : `[${bare}]:${port}`;
  const found: HostKeys = { trusted: [], revoked: [], authorities: [] };
  for (const line of text.split(/\r?\n/)) {
    const fields = line.trim().split(/\s+/);
    if (fields[0] === '' || fields[0]!.startsWith('#')) continue;
    const marker = fields[0]!.startsWith('@') ? fields.shift() : undefined;
    const [names, , key] = fields;
    const list = lists[marker ?? ''];
    if (!names || !key || !list) continue;
    if (matches(names, address) || (marker && matches(names, bare))) found[list].push(Buffer.from(key, 'base64'));
  }
  return found;
}

function matches(names: string, address: string): boolean {
  if (names.startsWith('|1|')) {
    const [salt, hash] = names.slice(3).split('|');
    return (
      createHmac('sha1', Buffer.from(salt ?? '', 'base64'))
        .update(address)
        .digest('base64') === hash
    );
  }
  const patterns = names.split(',');
  if (patterns.some((pattern) => pattern.startsWith('!') && matchesPattern(pattern.slice(1), address))) return false;
  return patterns.some((pattern) => !pattern.startsWith('!') && matchesPattern(pattern, address));
}

/** Whether a pattern with `*` and `?` means the text, which is in lower case. */
export function matchesPattern(pattern: string, text: string): boolean {
  const source = pattern
    .toLowerCase()
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`).test(text);
}

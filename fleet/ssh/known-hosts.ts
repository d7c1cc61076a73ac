import { createHmac } from 'node:crypto';

export interface HostKeys {
  trusted: Buffer[];
  revoked: Buffer[];
}

/**
 * The keys that a known_hosts file has for a host: plain, hashed and wildcard names, `[host]:port`, negations, `@revoked`. Lines with
 * `@cert-authority` are passed over, because host certificates are not verified here.
 */
export function lookUpHost(text: string, host: string, port: number): HostKeys {
  const address = port === 22 ? host : `[${host}]:${port}`;
  const found: HostKeys = { trusted: [], revoked: [] };
  for (const line of text.split(/\r?\n/)) {
    const fields = line.trim().split(/\s+/);
    if (fields[0] === '' || fields[0]!.startsWith('#')) continue;
    const marker = fields[0]!.startsWith('@') ? fields.shift() : undefined;
    const [names, , key] = fields;
    if (!names || !key || (marker !== undefined && marker !== '@revoked')) continue;
    if (!matches(names, address.toLowerCase())) continue;
    (marker ? found.revoked : found.trusted).push(Buffer.from(key, 'base64'));
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
  const patterns = names.toLowerCase().split(',');
  if (patterns.some((pattern) => pattern.startsWith('!') && wildcard(pattern.slice(1)).test(address))) return false;
  return patterns.some((pattern) => !pattern.startsWith('!') && wildcard(pattern).test(address));
}

function wildcard(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`);
}

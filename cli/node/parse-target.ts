import { HelixError } from '../../contracts/error.ts';
import type { Host } from './candidate.ts';

/** `[user@]host[:port]`, an IPv6 address in brackets. Throws `usage.invalid`. */
export function parseTarget(target: string): Host {
  const match = /^(?:ssh:\/\/)?(?:([^@\s]+)@)?(?:\[([0-9A-Fa-f:.%\w]+)\]|([^@:\s[\]]+))(?::(\d{1,5}))?$/.exec(target);
  const [, user, address, name, port] = match ?? [];
  const host = address ?? name;
  if (host === undefined || host.startsWith('-')) {
    throw new HelixError(
      'usage.invalid',
      `"${target}" is no target: write [user@]host[:port], an IPv6 address in brackets`,
    );
  }
  return { host, ...(user === undefined ? {} : { user }), ...(port === undefined ? {} : { port: Number(port) }) };
}

/** A node's name made of a host's: what names do not allow becomes a dash. */
export function nodeName(host: string): string {
  return host.replaceAll(/[^A-Za-z0-9._-]/g, '-').slice(0, 63);
}

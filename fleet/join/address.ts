import { isIPv6 } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';

const mostAddresses = 4;

/** Under what this machine may be found by others: its addresses, IPv4 first, and its name. */
export function ownAddresses(): string[] {
  const found = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    // A link-local address means nothing without the interface that it belongs to.
    .filter(({ internal, address }) => !internal && !address.startsWith('fe80:') && !address.startsWith('169.254.'))
    .sort((one, other) => one.family.localeCompare(other.family));
  return [...found.slice(0, mostAddresses).map(({ address }) => address), hostname()];
}

/** Reads `HOST`, `HOST:PORT`, `[IPv6]:PORT` and a bare IPv6 address; undefined when it is none of them. */
export function splitAddress(text: string): { host: string; port?: number } | undefined {
  if (isIPv6(text)) return { host: text };
  const [, bracketed, plain, digits] = /^(?:\[([^[\]]+)\]|([^\s:/@[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed !== undefined && isIPv6(bracketed) ? bracketed : plain;
  const port = digits === undefined ? undefined : Number(digits);
  if (host === undefined || port === 0 || (port !== undefined && port > 65_535)) return undefined;
  return { host, ...(port === undefined ? {} : { port }) };
}

export function joinAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

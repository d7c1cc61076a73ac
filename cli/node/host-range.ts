import { HelixError } from '../../contracts/error.ts';

const mostHosts = 10_000;

/** The hosts of a pattern such as `web[01:20]`, `db-[a:f]` or `n[0:10:2].example`, as Ansible writes them. Throws `usage.invalid`. */
export function expandHostRange(pattern: string): string[] {
  const match = /^(.*?)\[([^\]]*)\](.*)$/.exec(pattern);
  if (!match) return [pattern];
  const [, before = '', range = '', after = ''] = match;
  const middle = expand(range);
  if (!middle) {
    throw new HelixError('usage.invalid', `"${pattern}" is no range of hosts: write [01:20], [a:f] or [0:10:2]`);
  }
  const hosts = middle.flatMap((text) => expandHostRange(after).map((rest) => `${before}${text}${rest}`));
  if (hosts.length > mostHosts) throw new HelixError('usage.invalid', `"${pattern}" is more than ${mostHosts} hosts`);
  return hosts;
}

function expand(range: string): string[] | undefined {
  const [, first = '', last = '', step = '1'] = /^(\w+):(\w+)(?::(\d+))?$/.exec(range) ?? [];
  const by = Number(step);
  if (by < 1) return undefined;
  if (/^\d+$/.test(first) && /^\d+$/.test(last)) {
    // A leading zero, and only that, says how wide the numbers are.
    const width = first.startsWith('0') ? first.length : 0;
    return count(Number(first), Number(last), by)?.map((number) => String(number).padStart(width, '0'));
  }
  if (!/^[a-z]$/.test(first) && !/^[A-Z]$/.test(first)) return undefined;
  if (!/^[A-Za-z]$/.test(last)) return undefined;
  return count(first.charCodeAt(0), last.charCodeAt(0), by)?.map((code) => String.fromCharCode(code));
}

function count(from: number, to: number, by: number): number[] | undefined {
  if (to < from || (to - from) / by > mostHosts) return undefined;
  return Array.from({ length: Math.floor((to - from) / by) + 1 }, (_, index) => from + index * by);
}

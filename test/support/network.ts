import { execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import type { SshdOptions } from './sshd.ts';

export interface OwnNetwork {
  /** Puts an sshd into it. */
  options: Pick<SshdOptions, 'address' | 'port' | 'within'>;
  /** Pulls the cable between it and this machine. */
  cut(): void;
  mend(): void;
}

/** A network of its own (a network namespace) with one cable to this machine. Needs root. */
export async function withNetwork<T>(use: (network: OwnNetwork) => Promise<T>): Promise<T> {
  const [third, block] = [randomInt(256), 4 * randomInt(64)];
  const [here, there] = [1, 2].map((last) => `10.213.${third}.${block + last}`);
  const name = `hx${third}-${block}`;
  const [end, otherEnd] = [`${name}a`, `${name}b`];
  ip('netns', 'add', name);
  try {
    ip('link', 'add', end, 'type', 'veth', 'peer', 'name', otherEnd, 'netns', name);
    ip('address', 'add', `${here}/30`, 'dev', end);
    ip('-n', name, 'address', 'add', `${there}/30`, 'dev', otherEnd);
    ip('-n', name, 'link', 'set', otherEnd, 'up');
    ip('link', 'set', end, 'up');
    return await use({
      options: { address: there!, port: 22, within: ['ip', 'netns', 'exec', name] },
      cut: () => ip('link', 'set', end, 'down'),
      mend: () => ip('link', 'set', end, 'up'),
    });
  } finally {
    ip('netns', 'delete', name);
  }
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { env: { PATH: `${process.env['PATH']}:/usr/sbin:/sbin` } });
}

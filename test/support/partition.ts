import { execFileSync } from 'node:child_process';

/** Which packets are lost: those to the machine, those from it, or both. */
export type Direction = 'to' | 'from' | 'both';

/** Loses packets of the server on a port of this machine, by a firewall, until the function it returns is called. Needs root and nftables. */
export function partition(port: number, direction: Direction): () => void {
  const table = `helix_test_${port}`;
  const rules = [
    ...(direction === 'from' ? [] : [`tcp dport ${port} drop`]),
    ...(direction === 'to' ? [] : [`tcp sport ${port} drop`]),
  ];
  const script = `table inet ${table} {\nchain input {\ntype filter hook input priority 0\n${rules.join('\n')}\n}\n}\n`;
  execFileSync('/usr/sbin/nft', ['-f', '-'], { input: script });
  let healed = false;
  return () => {
    if (healed) return;
    healed = true;
    execFileSync('/usr/sbin/nft', ['delete', 'table', 'inet', table]);
  };
}

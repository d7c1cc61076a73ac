import type { StackProcess } from '../../contracts/stack.ts';
import { styledStatus } from './style.ts';
import { table } from './table.ts';

export function describeProcesses(processes: readonly StackProcess[]): string {
  return table(
    ['NAME', 'STATE', 'PID', 'ADDRESS'],
    processes.map(({ name, state, pid, address }) => [name, styledStatus(state), String(pid ?? '-'), address ?? '-']),
  );
}

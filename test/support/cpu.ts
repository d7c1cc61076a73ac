/** Milliseconds of processor time of this process since `start`: what a busy machine does beside it does not count. */
export function cpuMs(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

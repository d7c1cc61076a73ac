/** A process, told apart from a later one with the same pid. */
export interface ProcessIdentity {
  pid: number;
  start: string;
}
export function processStart(pid: number): string | null;
export function identify(pid: number): ProcessIdentity;
export function isAlive(identity: ProcessIdentity): boolean;
export function tryLock(path: string): (() => void) | null;
export function withLock<T>(path: string, use: () => Promise<T>, onWait?: (holder: number) => void): Promise<T>;

import { userInfo } from 'node:os';

/** The name of whoever runs this process; their number when the system has no name for them, as in containers. */
export function osUser(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}

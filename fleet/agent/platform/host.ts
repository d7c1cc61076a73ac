import { posixHost } from './host-posix.ts';
import { windowsHost } from './host-windows.ts';
import type { Host } from './types.ts';

export const host: Host = process.platform === 'win32' ? windowsHost : posixHost;

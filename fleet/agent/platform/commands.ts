import { posixCommands } from './commands-posix.ts';
import { windowsCommands } from './commands-windows.ts';
import type { Commands } from './types.ts';

export const commands: Commands = process.platform === 'win32' ? windowsCommands : posixCommands;

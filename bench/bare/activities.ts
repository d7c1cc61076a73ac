import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export async function runCommand(command: string): Promise<{ stdout: string; stderr: string }> {
  return await promisify(execFile)('sh', ['-c', command]);
}

export async function doNothing(): Promise<void> {}

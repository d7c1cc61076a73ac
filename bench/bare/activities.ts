import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { Client } from 'ssh2';
import type { SshTarget } from '../../contracts/node.ts';

export async function runCommand(command: string): Promise<{ stdout: string; stderr: string }> {
  return await promisify(execFile)('sh', ['-c', command]);
}

export async function doNothing(): Promise<void> {}

const connections = new Map<string, Promise<Client>>();

/** Runs a command on a machine, over a connection that stays open, and forgets all about it but how it ended. */
export async function runRemotely(target: SshTarget, command: string): Promise<number> {
  const address = `${target.host}:${target.port}`;
  const opened = connections.get(address) ?? connect(target);
  connections.set(address, opened);
  const client = await opened;
  return await new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => {
      if (error) return reject(error);
      let code = -1;
      channel.on('exit', (status: number) => (code = status));
      channel.on('close', () => resolve(code)).resume();
    });
  });
}

function connect({ host, port, user, keyFile }: SshTarget): Promise<Client> {
  const client = new Client();
  return new Promise((resolve, reject) => {
    client.once('ready', () => resolve(client)).once('error', reject);
    client.connect({ host, port, username: user, privateKey: readFileSync(keyFile!) });
  });
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import ssh2, { type Connection, type ServerChannel, type SFTPWrapper } from 'ssh2';
import type { SshTarget } from '../../contracts/node.ts';

const { Server, utils } = ssh2;

export interface WindowsMachine {
  target: SshTarget;
  /** What it was asked to run, as it came. */
  asked: string[];
  /** Paths of files that were opened for writing by SFTP. */
  written: string[];
}

/**
 * A stand-in for Microsoft's SSH server with cmd.exe behind it: it has no `/bin/sh`, answers PowerShell's encoded commands with `answer`, takes files
 * by SFTP under `/C:/`, which is the folder `drive` here, and starts programs by a line quoted for cmd.exe. `C:\node.exe` is this process's Node, run with `env`.
 */
export async function withWindowsSshd(
  drive: string,
  env: NodeJS.ProcessEnv,
  answer: (script: string) => string,
  use: (machine: WindowsMachine) => Promise<void>,
): Promise<void> {
  const host = utils.generateKeyPairSync('ed25519');
  const user = utils.generateKeyPairSync('ed25519');
  const keyFile = join(drive, 'key');
  writeKey(keyFile, user.private);
  const asked: string[] = [];
  const written: string[] = [];
  const local = (path: string): string => path.replaceAll('\\', '/').replace(/^\/?C:/, drive);
  const connections = new Set<Connection>();
  const server = new Server({ hostKeys: [host.private] }, (client) => {
    // Which the declarations leave out.
    (client as unknown as { setNoDelay(on: boolean): void }).setNoDelay(true);
    connections.add(client);
    client.on('error', () => {}).on('close', () => connections.delete(client));
    client.on('authentication', (context) => context.accept());
    client.on('session', (accept) => {
      const session = accept();
      session.on('exec', (take, _refuse, { command }) => {
        asked.push(command);
        run(take(), command, env, answer, local);
      });
      session.on('sftp', (take) => serveFiles(take(), local, written));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    await use({ target: { host: '127.0.0.1', port, user: 'me', keyFile }, asked, written });
  } finally {
    for (const one of connections) one.end();
    server.close();
  }
}

function writeKey(file: string, text: string): void {
  const handle = openSync(file, 'w', 0o600);
  writeSync(handle, text);
  closeSync(handle);
}

function run(
  channel: ServerChannel,
  command: string,
  env: NodeJS.ProcessEnv,
  answer: (script: string) => string,
  local: (path: string) => string,
): void {
  const finish = (code: number): void => {
    channel.exit(code);
    channel.end();
  };
  const encoded = /^powershell .*-EncodedCommand (\S+)$/.exec(command)?.[1];
  if (encoded !== undefined) {
    channel.write(answer(Buffer.from(encoded, 'base64').toString('utf16le')));
    finish(0);
  } else if (command.startsWith('"C:\\')) {
    const words = Array.from(command.matchAll(/"((?:\\"|[^"])*)"|([^\s"]+)/g), ([, quoted, plain]) =>
      (quoted ?? plain ?? '').replaceAll('\\"', '"'),
    );
    const [program = '', ...parameters] = words.map((word) => (word.startsWith('C:\\') ? local(word) : word));
    const child = spawn(program.endsWith('/node.exe') ? process.execPath : program, parameters, { env });
    channel.pipe(child.stdin).on('error', () => {});
    child.stdout.pipe(channel, { end: false });
    child.stderr.pipe(channel.stderr, { end: false });
    child.once('close', (code) => finish(code ?? 1));
  } else {
    channel.stderr.write('The system cannot find the path specified.\r\n');
    finish(1);
  }
}

const { OK, FAILURE, NO_SUCH_FILE } = utils.sftp.STATUS_CODE;

function serveFiles(sftp: SFTPWrapper, local: (path: string) => string, written: string[]): void {
  const reply = (id: number, action: () => void, otherwise = FAILURE): void => {
    try {
      action();
      sftp.status(id, OK);
    } catch {
      sftp.status(id, otherwise);
    }
  };
  const handleOf = (descriptor: number): Buffer => Buffer.from(String(descriptor));
  sftp.on('OPEN', (id, path) => {
    written.push(path);
    sftp.handle(id, handleOf(openSync(local(path), 'w')));
  });
  sftp.on('WRITE', (id, handle, offset, data) =>
    reply(id, () => writeSync(Number(handle), data, 0, data.length, offset)),
  );
  sftp.on('CLOSE', (id, handle) => reply(id, () => closeSync(Number(handle))));
  sftp.on('FSETSTAT', (id) => sftp.status(id, OK));
  sftp.on('SETSTAT', (id) => sftp.status(id, OK));
  sftp.on('REMOVE', (id, path) => reply(id, () => rmSync(local(path)), NO_SUCH_FILE));
  sftp.on('RENAME', (id, from, to) =>
    reply(id, () => {
      // As Windows does, and other than rename() here.
      if (statSync(local(to), { throwIfNoEntry: false })) throw new Error('it is there');
      renameSync(local(from), local(to));
    }),
  );
  sftp.on('STAT', (id, path) => {
    const found = statSync(local(path), { throwIfNoEntry: false });
    if (!found) return sftp.status(id, NO_SUCH_FILE);
    sftp.attrs(id, { mode: found.mode, uid: 0, gid: 0, size: found.size, atime: 0, mtime: 0 });
  });
}

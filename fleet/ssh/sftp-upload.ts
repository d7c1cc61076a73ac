import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Client, SFTPWrapper } from 'ssh2';
import { HelixError } from '../../contracts/error.ts';
import { sftpPath } from './windows-machine.ts';

const uploadTimeoutMs = 10 * 60_000;

/**
 * Puts a file on a machine with Windows unless it is there; seen by others only when complete. Its folder has to be there. Throws
 * `node.unsuitable` when it cannot be written, and `node.unreachable` when that takes more than ten minutes.
 */
export async function uploadBySftp(client: Client, name: string, file: string, target: string): Promise<void> {
  const { size } = await stat(file);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const error = new HelixError('node.unreachable', `${target} could not be sent to ${name} within ten minutes`);
    timer = setTimeout(() => reject(error), uploadTimeoutMs);
  });
  const sftp = await openSftp(client, name);
  try {
    await Promise.race([send(sftp, file, size, sftpPath(target)), late]);
  } catch (error) {
    if (error instanceof HelixError) throw error;
    throw new HelixError(
      'node.unsuitable',
      `${target} could not be written on ${name} (${(error as Error).message}): is there space, and may the account write there?`,
      { cause: error },
    );
  } finally {
    clearTimeout(timer);
    sftp.end();
  }
}

function openSftp(client: Client, name: string): Promise<SFTPWrapper> {
  return new Promise((resolve, reject) => {
    client.sftp((error, sftp) => {
      if (!error) return resolve(sftp);
      const words = `the SSH server of ${name} offers no SFTP (${error.message}): its sshd_config needs the line "Subsystem sftp sftp-server.exe"`;
      reject(new HelixError('node.unsuitable', words, { cause: error }));
    });
  });
}

async function send(sftp: SFTPWrapper, file: string, size: number, target: string): Promise<void> {
  const sizeOf = (path: string): Promise<number | undefined> =>
    new Promise((resolve) => sftp.stat(path, (error, stats) => resolve(error ? undefined : stats.size)));
  const remove = (path: string): Promise<void> => new Promise((resolve) => sftp.unlink(path, () => resolve()));
  if ((await sizeOf(target)) === size) return;
  const draft = `${target}.${process.pid}.${Date.now()}`;
  try {
    await promisify((from: string, to: string, done: (error?: Error | null) => void) => sftp.fastPut(from, to, done))(
      file,
      draft,
    );
    if ((await sizeOf(draft)) !== size) throw new Error('the transfer was cut short');
    // SFTP renames to nothing that is there; what is there has another size.
    await remove(target);
    await new Promise<void>((resolve, reject) => {
      sftp.rename(draft, target, (error) => (error ? reject(error) : resolve()));
    });
  } catch (error) {
    await remove(draft);
    // Somebody else may have brought it meanwhile.
    if ((await sizeOf(target)) !== size) throw error;
  }
}

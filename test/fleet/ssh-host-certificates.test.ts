import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { copyFile, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { parseCertificate, parseCertificateFile } from '../../fleet/ssh/certificate.ts';
import { connectSsh } from '../../fleet/ssh/connect.ts';
import { hostCertificateProblem } from '../../fleet/ssh/host-certificate.ts';
import { type Sshd, withSshd } from '../support/sshd.ts';
import { withTempDir } from '../support/temp-dir.ts';

interface Machine {
  sshd: Sshd;
  dir: string;
  /** The file of the host key. */
  key: string;
  /** Signs the key of the host, for 127.0.0.1 when nothing else is said, and starts the machine anew with it. */
  sign(ca: string, ...options: string[]): Promise<void>;
  /** Logs in with these lines as the known hosts, and gives the fingerprint of the host key. */
  logIn(lines: string[], port?: number): Promise<string>;
  refused(lines: string[], message: RegExp, port?: number): Promise<void>;
}

const keygen = (...options: string[]): string =>
  execFileSync('ssh-keygen', options, { encoding: 'utf8', stdio: 'pipe' });

function newKey(file: string, type = 'ed25519', ...options: string[]): string {
  keygen('-q', '-t', type, ...(type === 'rsa' ? ['-b', '2048'] : []), '-N', '', '-f', file, ...options);
  return file;
}

/** A machine with a host key of the type: its own one, or else one more, because sshd shows the first of each type. */
async function withMachine(type: string, use: (machine: Machine) => Promise<void>): Promise<void> {
  await withTempDir(async (dir) => {
    const further = type === 'ed25519' ? undefined : newKey(join(dir, 'host'), type);
    const certificate = join(dir, 'certificate');
    const config = [`HostCertificate ${certificate}`, ...(further ? [`HostKey ${further}`] : [])];
    await withSshd(
      async (sshd) => {
        const key = further ?? join(sshd.home, '../host_key');
        const known = join(dir, 'known_hosts');
        const logIn: Machine['logIn'] = async (lines, port = sshd.target.port) => {
          await writeFile(known, lines.join('\n'));
          const connection = await connectSsh({ ...sshd.target, port }, { kind: 'known-hosts', file: known });
          connection.client.destroy();
          return connection.hostKey;
        };
        const sign: Machine['sign'] = async (ca, ...options) => {
          keygen('-q', '-s', ca, '-h', '-I', 'a-host', '-n', '127.0.0.1', ...options, `${key}.pub`);
          await copyFile(`${key}-cert.pub`, certificate);
          await sshd.stop();
          await sshd.start();
        };
        const refused: Machine['refused'] = (lines, message, port) =>
          assert.rejects(logIn(lines, port), { code: 'node.host-key', message });
        await use({ sshd, dir, key, sign, logIn, refused });
      },
      { config },
    );
  });
}

const publicKey = (file: string): string => readFileSync(`${file}.pub`, 'utf8').trim();
const authority = (ca: string, hosts = '*'): string => `@cert-authority ${hosts} ${publicKey(ca)}`;
const sha256 = (file: string): string => keygen('-l', '-f', `${file}.pub`).split(' ')[1]!;

/** Passes connections on, each to the next of the ports. */
async function withRelay(ports: number[], use: (port: number) => Promise<void>): Promise<void> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    const onward = connect(ports.shift()!, '127.0.0.1');
    sockets.push(socket, onward);
    for (const one of [socket, onward]) one.on('error', () => {});
    socket.pipe(onward).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await use((server.address() as AddressInfo).port);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

describe('a host certificate', () => {
  it('makes a host known whose authority is, whatever types the keys have', async () => {
    const types = [
      ['ed25519', 'ecdsa'],
      ['ecdsa', 'rsa'],
      ['rsa', 'ed25519'],
    ];
    for (const [host, ca] of types) {
      await withMachine(host!, async ({ dir, key, sign, logIn }) => {
        await sign(newKey(join(dir, 'ca'), ca, ...(ca === 'ecdsa' ? ['-b', '521'] : [])));
        assert.equal(await logIn([authority(join(dir, 'ca'))]), sha256(key), `${host} by ${ca}`);
      });
    }
  });

  it('is asked for through hosts on the way, which can have one as well', () =>
    withMachine('ed25519', async ({ sshd, dir, key, sign }) => {
      const ca = newKey(join(dir, 'ca'));
      await sign(ca, '-n', 'other,127.0.0.*', '-V', '-1h:+1h');
      const file = join(dir, 'authorities');
      await writeFile(file, `${authority(ca, `127.0.0.1,[127.0.0.1]:${sshd.target.port}`)}\n`);
      const hostKey = { kind: 'known-hosts' as const, file };
      const { client, jumpKeys } = await connectSsh({ ...sshd.target, jumps: [{ ...sshd.target, hostKey }] }, hostKey);
      client.destroy();
      assert.deepEqual(jumpKeys, [sha256(key)]);
    }));

  it('does so only when it is of that authority, for this host, in its time, and not revoked', () =>
    withMachine('ed25519', async ({ sshd, dir, key, sign, logIn, refused }) => {
      const ca = newKey(join(dir, 'ca'));
      const line = authority(ca);
      const because = (why: string): RegExp =>
        new RegExp(
          `is not in .*known_hosts; .*known_hosts has a certificate authority for it, and ${why}.*it offered SHA256:`,
        );
      await refused([line], because('a certificate of its host key could not be had \\(it has none\\)'));
      await sign(ca);
      assert.equal(await logIn([line]), sha256(key));
      await refused([authority(newKey(join(dir, 'other')))], because('its certificate is signed by another CA'));
      await refused([authority(ca, 'example.com')], /is not in .*known_hosts; it offered/);
      await refused([line, `@revoked * ${publicKey(ca)}`], because('this CA is revoked there'));
      await refused([line, `@revoked * ${publicKey(key)}`], /the host key SHA256:.* is revoked in/);
      await sign(ca, '-V', '20200101000000Z:20210101000000Z');
      await refused([line], because('its certificate has expired .*until 2021-01-01T00:00:00Z'));
      await sign(ca, '-V', '20900101000000Z:20910101000000Z');
      await refused([line], because('its certificate is not valid yet'));
      await sign(ca, '-n', 'example.com,127.0.0.2');
      await refused([line], because('its certificate is not for 127.0.0.1 .*principals: example.com, 127.0.0.2'));
      await sign(ca, '-O', 'critical:by@example.com=x');
      await refused([line], because('its certificate has critical options.*with by@example.com=x'));
      const plain = `[127.0.0.1]:* ${publicKey(key)}`;
      assert.equal(await logIn([line, plain]), sha256(key), 'its own key is enough');
      await sshd.stop();
      await assert.rejects(logIn([line]), {
        code: 'node.unreachable',
        message: /cannot be reached .*is the machine up/,
      });
    }));

  it('is worth nothing to who has copied it', () =>
    withMachine('ed25519', async ({ sshd, dir, sign, logIn, refused }) => {
      const ca = newKey(join(dir, 'ca'));
      await sign(ca);
      await withSshd(async (other) => {
        const [real, copier] = [sshd.target.port, other.target.port];
        await withRelay([real, real], async (port) => void (await logIn([authority(ca)], port)));
        const offered = (await other.hostKey()).replaceAll('+', '\\+');
        await withRelay([real, copier], (port) =>
          refused([authority(ca)], new RegExp(`expected SHA256:.*, offered ${offered}`), port),
        );
      });
    }));

  it('that was altered anywhere is no certificate', () =>
    withTempDir(async (dir) => {
      for (const type of ['ed25519', 'ecdsa', 'rsa']) {
        const ca = newKey(join(dir, type), type);
        const host = newKey(join(dir, `host-${type}`));
        keygen('-q', '-s', ca, '-h', '-I', 'x', '-n', 'h', `${host}.pub`);
        const { blob } = parseCertificateFile(readFileSync(`${host}-cert.pub`));
        const signing = { authorities: [Buffer.from(publicKey(ca).split(' ')[1]!, 'base64')], revoked: [] };
        assert.equal(hostCertificateProblem(parseCertificate(blob), 'h', signing), undefined, type);
        for (let at = 0; at < blob.length; at += 1) {
          const altered = Buffer.from(blob);
          altered[at]! ^= 1;
          const accepts = (): boolean => hostCertificateProblem(parseCertificate(altered), 'h', signing) === undefined;
          // Either it cannot be read, or it is refused.
          let accepted = false;
          try {
            accepted = accepts();
          } catch {
            continue;
          }
          assert.equal(accepted, false, `${type}, byte ${at}`);
        }
        const user = newKey(join(dir, `user-${type}`));
        keygen('-q', '-s', ca, '-I', 'x', '-n', 'h', `${user}.pub`);
        const forUsers = parseCertificateFile(readFileSync(`${user}-cert.pub`));
        assert.match(hostCertificateProblem(forUsers, 'h', signing)!, /is one for users/);
        await copyFile(`${user}.pub`, `${user}2.pub`);
        if (type === 'rsa') {
          keygen('-q', '-s', ca, '-t', 'ssh-rsa', '-h', '-I', 'x', '-n', 'h', `${user}2.pub`);
          const weak = parseCertificateFile(readFileSync(`${user}2-cert.pub`));
          assert.match(
            hostCertificateProblem(weak, 'h', signing)!,
            /signature of its certificate is wrong, or of a type/,
          );
        }
      }
    }));
});

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'ssh2';
import type { SshTarget } from '../../contracts/node.ts';
import { allowCertificates } from '../../fleet/ssh/certified-key.ts';
import { connectSsh } from '../../fleet/ssh/connect.ts';
import { execSsh } from '../../fleet/ssh/exec.ts';
import { type Sshd, withSshd } from '../support/sshd.ts';
import { withTempDir } from '../support/temp-dir.ts';

interface Machine {
  sshd: Sshd;
  dir: string;
  user: string;
  /** Makes a key that the machine does not know, for itself. */
  key(name: string, ...options: string[]): string;
  /** Signs a key's KEY-cert.pub, for the user of the machine when nothing else is said. */
  sign(key: string, ...options: string[]): void;
  /** Logs in and says so, with a key file or without. */
  logIn(target: Partial<SshTarget>): Promise<string>;
  /** Fails unless the login is refused with such a message. */
  refused(target: Partial<SshTarget>, message: RegExp): Promise<void>;
}

const keygen = (...options: string[]): void => void execFileSync('ssh-keygen', ['-q', ...options], { stdio: 'pipe' });

/** A machine that trusts a CA, and besides its own user lets in whom a certificate calls `deploy`. */
async function withMachine(use: (machine: Machine) => Promise<void>): Promise<void> {
  await withTempDir(async (dir) => {
    const key: Machine['key'] = (name, ...options) => {
      const file = join(dir, name);
      keygen('-t', 'ed25519', '-N', '', '-f', file, '-C', name, ...options);
      return file;
    };
    const ca = key('ca');
    const principals = join(dir, 'principals');
    const config = [`TrustedUserCAKeys ${ca}.pub`, `AuthorizedPrincipalsFile ${principals}`];
    await withSshd(
      async (sshd) => {
        const { user } = sshd.target;
        await writeFile(principals, `${user}\ndeploy\n`);
        const trust = { kind: 'fingerprint' as const, sha256: await sshd.hostKey() };
        const sign: Machine['sign'] = (file, ...options) =>
          keygen('-s', ca, '-I', 'the-id', '-n', user, ...options, `${file}.pub`);
        const logIn: Machine['logIn'] = async (target) => {
          const { keyFile: _, ...bare } = sshd.target;
          const { client } = await connectSsh({ ...bare, ...target }, trust);
          const { stdout } = await execSsh(client, 'echo in', '', 10_000);
          client.destroy();
          return stdout;
        };
        const refused: Machine['refused'] = (target, message) =>
          assert.rejects(logIn(target), { code: 'node.authentication', message });
        await use({ sshd, dir, user, key, sign, logIn, refused });
      },
      { config },
    );
  });
}

/** Runs `use` with an agent of this process's own. */
async function withAgent(dir: string, use: (add: (...options: string[]) => void) => Promise<void>): Promise<void> {
  const socket = join(dir, 'agent');
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
  try {
    while (!existsSync(socket)) await sleep(10);
    await withEnvironment('SSH_AUTH_SOCK', socket, () =>
      use((...options) => void execFileSync('ssh-add', options, { stdio: 'pipe' })),
    );
  } finally {
    agent.kill();
    await once(agent, 'exit');
  }
}

async function withEnvironment(name: string, value: string, use: () => Promise<void>): Promise<void> {
  const before = process.env[name];
  process.env[name] = value;
  try {
    await use();
  } finally {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  }
}

describe('a user certificate', () => {
  it('beside a key file logs in, whatever type the key has', () =>
    withMachine(async ({ key, sign, logIn, refused }) => {
      await refused({ keyFile: key('without') }, /accepted none of the keys: add the public key [^;]*$/);
      for (const [type, bits] of [['ed25519'], ['rsa', '2048'], ['ecdsa', '256'], ['ecdsa', '521']]) {
        const keyFile = key(`${type}${bits}`, '-t', type!, ...(bits ? ['-b', bits] : []));
        sign(keyFile);
        assert.equal(await logIn({ keyFile }), 'in\n', `${type} ${bits}`);
      }
    }));

  it('goes with a passphrase, with principals that the machine maps, and through a host on the way', () =>
    withMachine(async ({ sshd, dir, key, sign, logIn }) => {
      const keyFile = key('locked', '-N', 'open sesame');
      sign(keyFile, '-n', 'somebody,deploy', '-V', '-1h:+1h');
      await writeFile(join(dir, 'passphrase'), 'open sesame\n');
      const locked = { keyFile, passphrase: `file:${join(dir, 'passphrase')}` };
      assert.equal(await logIn(locked), 'in\n');
      const jump = { ...sshd.target, ...locked, hostKey: { kind: 'accept-new' as const } };
      assert.equal(await logIn({ ...locked, jumps: [jump] }), 'in\n');
    }));

  it('that the machine refuses leaves the key itself to log in with', () =>
    withMachine(async ({ sshd, key, logIn }) => {
      const other = key('other-ca');
      keygen('-s', other, '-I', 'x', '-n', 'nobody', `${sshd.target.keyFile}.pub`);
      assert.ok(existsSync(`${sshd.target.keyFile}-cert.pub`));
      assert.equal(await logIn({ keyFile: sshd.target.keyFile }), 'in\n');
    }));

  it('of a default key is shown by itself', () =>
    withMachine(async ({ dir, key, sign, logIn, refused }) => {
      await mkdir(join(dir, '.ssh'));
      sign(key('.ssh/id_ecdsa', '-t', 'ecdsa'), '-V', '-2h:-1h');
      await withEnvironment('SSH_AUTH_SOCK', join(dir, 'no-agent'), () =>
        withEnvironment('HOME', dir, async () => {
          await refused({}, /the certificate .*id_ecdsa-cert.pub was refused too.*it expired/);
          sign(join(dir, '.ssh/id_ecdsa'));
          assert.equal(await logIn({}), 'in\n');
        }),
      );
    }));

  it('that an SSH agent holds is shown, also when the agent has the key only with it', () =>
    withMachine(async ({ dir, key, sign, logIn, refused }) => {
      await withAgent(dir, (add) =>
        withEnvironment('HOME', dir, async () => {
          add('-q', key('without'));
          await refused({}, /accepted none of the keys: [^;]*$/);
          for (const type of ['ed25519', 'rsa', 'ecdsa']) {
            const file = key(type, '-t', type, ...(type === 'rsa' ? ['-b', '2048'] : []));
            sign(file);
            add('-q', '-D');
            add('-q', file);
            if (type === 'rsa') assert.equal(await logIn({}), 'in\n');
            add('-q', '-d', '-k', file);
            assert.equal(await logIn({}), 'in\n', `${type}, certificate alone`);
          }
        }),
      );
    }));

  it('goes with a key that only the SSH agent can open, whether the agent holds it too or it lies in a file', () =>
    withMachine(async ({ dir, key, sign, logIn, refused }) => {
      const plain = key('plain');
      const keyFile = join(dir, 'locked');
      await copyFile(plain, keyFile);
      await copyFile(`${plain}.pub`, `${keyFile}.pub`);
      keygen('-p', '-P', '', '-N', 'secret', '-f', keyFile);
      sign(keyFile);
      await withAgent(dir, async (add) => {
        // One that would do, but was not asked for.
        sign(key('other'));
        add('-q', join(dir, 'other'));
        const absent = /locked-cert.pub was not shown \(the SSH agent does not hold its key\)$/;
        await refused({ keyFile }, absent);
        await rm(`${keyFile}.pub`);
        await refused({ keyFile }, absent);
        add('-q', plain);
        assert.equal(await logIn({ keyFile }), 'in\n');
        await rm(`${keyFile}-cert.pub`);
        await copyFile(`${plain}.pub`, `${keyFile}.pub`);
        await refused({ keyFile }, /accepted none of the keys: [^;]*$/);
        sign(plain);
        add('-q', plain);
        assert.equal(await logIn({ keyFile }), 'in\n');
      });
    }));

  it('that is refused is described, with what is likely wrong with it', () =>
    withMachine(async ({ user, key, sign, refused }) => {
      const keyFile = key('k');
      const said = (why: string): RegExp =>
        new RegExp(`the certificate .*k-cert.pub was refused too, and holds key id "the-id"; .*${why}`);
      sign(keyFile, '-n', 'alice,bob');
      const ca = 'signed by the CA SHA256:[A-Za-z0-9+/]{43}';
      await refused({ keyFile }, said(`principals: alice, bob; valid forever; ${ca}: ${user} is not among its`));
      sign(keyFile, '-V', '20200101000000Z:20210101000000Z');
      await refused({ keyFile }, said('valid until 2021-01-01T00:00:00Z; .*: it expired at 2021-01-01T00:00:00Z'));
      sign(keyFile, '-V', '20900101000000Z:20910101000000Z');
      await refused({ keyFile }, said('valid from 2090-01-01T00:00:00Z until 2091-01-01T00:00:00Z; .*clock right'));
      sign(keyFile, '-O', 'source-address=192.0.2.0/24');
      await refused({ keyFile }, said('valid forever; with source-address=192.0.2.0/24; .*is this machine at its'));
      keygen('-s', key('untrusted'), '-I', 'the-id', '-n', user, `${keyFile}.pub`);
      await refused({ keyFile }, said(`${ca}: does the server trust this CA \\(TrustedUserCAKeys\\)\\?$`));
    }));

  it('of an agent with too many keys is not tried for ever, and the message says so', () =>
    withMachine(async ({ dir, key, sign, refused }) => {
      await withAgent(dir, async (add) => {
        for (const name of ['a', 'b', 'c', 'd']) {
          sign(key(name), '-n', 'nobody');
          add('-q', join(dir, name));
        }
        await refused(
          {},
          /refused so many keys that it hung up \(MaxAuthTries\): name a key file; .*"a" of the SSH agent/,
        );
      });
    }));

  it('that cannot be shown is said to be so when the key alone is refused', () =>
    withMachine(async ({ key, sign, refused, logIn }) => {
      const keyFile = key('k');
      const certificate = `${keyFile}-cert.pub`;
      const said = (why: string): RegExp => new RegExp(`the certificate .*k-cert.pub was not shown \\(${why}`);
      sign(keyFile, '-h');
      await refused({ keyFile }, said('it is for hosts'));
      const other = key('other');
      sign(other);
      await copyFile(`${other}-cert.pub`, certificate);
      await refused({ keyFile }, said('it certifies another key'));
      for (const text of ['', 'ssh-ed25519-cert-v01@openssh.com AAAAIHNza', 'nonsense']) {
        await writeFile(certificate, text);
        await refused({ keyFile }, said('it cannot be read as one: it is cut short'));
      }
      await copyFile(`${keyFile}.pub`, certificate);
      await refused({ keyFile }, said('it cannot be read as one: the type ssh-ed25519 is not supported'));
      sign(keyFile);
      await refused(
        { keyFile: certificate },
        /is an OpenSSH certificate and not a private key: name the private key .*\/k, and/,
      );
      await refused({ keyFile: `${keyFile}.pub` }, /holds a public key: name the private one/);
      assert.equal(await logIn({ keyFile }), 'in\n');
    }));

  it('is not shown through an ssh2 that works otherwise inside', () => {
    assert.throws(() => allowCertificates(new Client()), {
      code: 'internal',
      message: /do not go with the installed ssh2 1\./,
    });
  });
});

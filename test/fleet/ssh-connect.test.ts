import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HostKeyPolicy, SshJump, SshTarget } from '../../contracts/node.ts';
import { connectSsh } from '../../fleet/ssh/connect.ts';
import { execSsh } from '../../fleet/ssh/exec.ts';
import type { HostKeyTrust } from '../../fleet/ssh/host-key.ts';
import { type Sshd, withSshd } from '../support/sshd.ts';
import { withTempDir } from '../support/temp-dir.ts';

/** Logs in and runs a command. */
async function say(target: SshTarget, trust: HostKeyTrust, command: string): Promise<string> {
  const { client } = await connectSsh(target, trust);
  try {
    return (await execSsh(client, command, '', 10_000)).stdout;
  } finally {
    client.destroy();
  }
}

async function trusted(sshd: Sshd): Promise<HostKeyPolicy> {
  return { kind: 'fingerprint', sha256: await sshd.hostKey() };
}

async function asJump(sshd: Sshd, hostKey?: HostKeyPolicy): Promise<SshJump> {
  return { ...sshd.target, hostKey: hostKey ?? (await trusted(sshd)) };
}

/** A machine behind two others. */
function withChain(use: (far: Sshd, middle: Sshd, near: Sshd) => Promise<void>): Promise<void> {
  return withSshd((far) => withSshd((middle) => withSshd((near) => use(far, middle, near))));
}

/** Runs `use` with an SSH agent that this process knows, holding the key. */
async function withAgent(dir: string, keyFile: string, use: () => Promise<void>): Promise<void> {
  const socket = join(dir, 'agent');
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
  const before = process.env.SSH_AUTH_SOCK;
  try {
    while (!existsSync(socket)) await sleep(10);
    process.env.SSH_AUTH_SOCK = socket;
    execFileSync('ssh-add', ['-q', keyFile], { stdio: 'ignore' });
    await use();
  } finally {
    if (before === undefined) delete process.env.SSH_AUTH_SOCK;
    else process.env.SSH_AUTH_SOCK = before;
    agent.kill();
    await once(agent, 'exit');
  }
}

/** The machine's key under a passphrase. */
async function lockedCopy(sshd: Sshd, file: string, passphrase: string): Promise<string> {
  await copyFile(sshd.target.keyFile, file);
  execFileSync('ssh-keygen', ['-q', '-p', '-P', '', '-N', passphrase, '-f', file]);
  return file;
}

describe('an SSH connection', () => {
  it('goes through a chain of hosts, each with its own key checked, and tells their keys', () =>
    withChain(async (far, middle, near) => {
      const jumps = [await asJump(near), await asJump(middle, { kind: 'accept-new' })];
      const connection = await connectSsh({ ...far.target, jumps }, await trusted(far));
      const there = await execSsh(connection.client, 'echo "$HOME"', '', 10_000);
      assert.equal(there.stdout, `${far.home}\n`);
      assert.deepEqual(connection.jumpKeys, [await near.hostKey(), await middle.hostKey()]);
      assert.equal(connection.hostKey, await far.hostKey());
      const closed = once(connection.client, 'close');
      near.killConnections();
      await closed;
    }));

  it('stops at the first host whose key is not the expected one, and shows it nothing', () =>
    withChain(async (far, middle, near) => {
      const other: HostKeyPolicy = { kind: 'fingerprint', sha256: await far.hostKey() };
      // A key file that does not exist would be the first thing to fail on if anything were shown.
      const jumps = [await asJump(near), { ...(await asJump(middle, other)) }];
      await assert.rejects(connectSsh({ ...far.target, jumps }, await trusted(far)), {
        code: 'node.host-key',
        message: /expected SHA256:.*offered SHA256:/,
      });
      const unknown = { kind: 'known-hosts' as const, file: await far.knownHosts() };
      const first = [await asJump(near, unknown)];
      await assert.rejects(connectSsh({ ...far.target, jumps: first }, await trusted(far)), {
        code: 'node.host-key',
        message: /is not in .*known_hosts/,
      });
    }));

  it('says which host on the way is at fault', () =>
    withChain(async (far, middle, near) => {
      const jump = await asJump(near);
      const wrongKey = [{ ...jump, keyFile: far.target.keyFile }];
      await assert.rejects(connectSsh({ ...far.target, jumps: wrongKey }, await trusted(far)), {
        code: 'node.authentication',
        message: new RegExp(`^jump host .*:${near.target.port} accepted none of the keys`),
      });
      const { port } = middle.target;
      await middle.stop();
      await assert.rejects(connectSsh({ ...middle.target, jumps: [jump] }, await trusted(middle)), {
        code: 'node.unreachable',
        message: new RegExp(`:${port} cannot be reached from jump host .*:${near.target.port} \\(.*refused`, 'i'),
      });
      await near.stop();
      await assert.rejects(connectSsh({ ...far.target, jumps: [jump] }, await trusted(far)), {
        code: 'node.unreachable',
        message: /^jump host .* cannot be reached/,
      });
    }));

  it('says it when a host on the way forbids to go on', () =>
    withSshd((far) =>
      withSshd(
        async (near) => {
          const jumps = [await asJump(near)];
          await assert.rejects(connectSsh({ ...far.target, jumps }, await trusted(far)), {
            code: 'node.unreachable',
            message: /from jump host .*does AllowTcpForwarding of its sshd forbid it/,
          });
        },
        { config: ['AllowTcpForwarding no'] },
      ),
    ));

  it('takes the passphrase of a key from where a reference says', () =>
    withSshd((sshd) =>
      withTempDir(async (dir) => {
        const keyFile = await lockedCopy(sshd, join(dir, 'locked'), 'open sesame');
        const place = join(dir, 'passphrase');
        await writeFile(place, 'open sesame\n');
        const target = { ...sshd.target, keyFile };
        const trust = await trusted(sshd);
        assert.equal(await say({ ...target, passphrase: `file:${place}` }, trust, 'echo in'), 'in\n');
        await writeFile(place, 'wrong');
        await assert.rejects(connectSsh({ ...target, passphrase: `file:${place}` }, trust), {
          code: 'node.authentication',
          message: /the passphrase in file:.* does not open the key file/,
        });
        await assert.rejects(connectSsh({ ...target, passphrase: 'env:HELIX_TEST_NO_SUCH' }, trust), {
          message: /the passphrase of .*locked refers to env:HELIX_TEST_NO_SUCH, where there is nothing/,
        });
      }),
    ));

  it('logs in with the keys of an agent, also for a key file that only the agent can open', () =>
    withSshd((sshd) =>
      withTempDir(async (dir) => {
        const trust = await trusted(sshd);
        const keyFile = await lockedCopy(sshd, join(dir, 'locked'), 'secret');
        await copyFile(`${sshd.target.keyFile}.pub`, `${keyFile}.pub`);
        const { keyFile: plain, ...target } = sshd.target;
        await withAgent(dir, plain, async () => {
          assert.equal(await say(target, trust, 'echo agent'), 'agent\n');
          assert.equal(await say({ ...target, keyFile }, trust, 'echo locked'), 'locked\n');
          // The agent holds another key than the one that is asked for.
          const other = join(dir, 'other');
          execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'secret', '-f', other]);
          await assert.rejects(connectSsh({ ...target, keyFile: other }, trust), { code: 'node.authentication' });
        });
      }),
    ));

  it('passes over an agent that is gone', () =>
    withSshd((sshd) =>
      withTempDir(async (dir) => {
        const { SSH_AUTH_SOCK: before, HOME: home } = process.env;
        const { keyFile, ...target } = sshd.target;
        process.env.SSH_AUTH_SOCK = join(dir, 'gone');
        process.env.HOME = dir;
        try {
          execFileSync('/bin/sh', ['-c', `mkdir "${dir}/.ssh" && cp "${keyFile}" "${dir}/.ssh/id_ed25519"`]);
          assert.equal(await say(target, await trusted(sshd), 'echo in'), 'in\n');
        } finally {
          process.env.HOME = home;
          if (before === undefined) delete process.env.SSH_AUTH_SOCK;
          else process.env.SSH_AUTH_SOCK = before;
        }
      }),
    ));
});

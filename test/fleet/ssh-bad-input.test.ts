import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { NodeFacts, NodeRecord } from '../../contracts/node.ts';
import type { FleetNode } from '../../fleet/node.ts';
import { openSshNode, type SshNodeOptions } from '../../fleet/node.ts';
import { refuseSecondName } from '../../fleet/same-machine.ts';
import { nodeRecord } from '../db/samples.ts';
import { type Sshd, type SshdOptions, withSshd } from '../support/sshd.ts';
import { type Project, quickTiming, runStep, withProject } from './project-fixture.ts';

interface Machine extends Project {
  sshd: Sshd;
  open(more?: Partial<SshNodeOptions>): Promise<FleetNode>;
  /** Fails unless the machine is refused so. */
  refused(code: string, message: RegExp, more?: Partial<SshNodeOptions>): Promise<void>;
}

/** All that the machine has: few programs are soon asked for their versions. */
const programs = `git node sh env uname getconf grep sed ls mkdir touch rm cat wc chmod mv sleep find tr cp head seq id yes setsid`;
const quickPath = (dir: string): string => join(dir, 'programs');

async function withMachine(use: (machine: Machine) => Promise<void>, options: SshdOptions = {}): Promise<void> {
  await withProject(async (project) => {
    await mkdir(quickPath(project.dir));
    await chmod(project.dir, 0o755);
    for (const name of programs.split(' ')) await link(name, quickPath(project.dir));
    await withSshd(
      async (sshd) => {
        const opened: FleetNode[] = [];
        const open = async (more: Partial<SshNodeOptions> = {}): Promise<FleetNode> => {
          const hostKey = { kind: 'fingerprint' as const, sha256: await sshd.hostKey() };
          const common = { name: 'machine', ssh: sshd.target, hostKey, cacheDir, stores: project.stores };
          const node = await openSshNode({ ...common, timing: quickTiming, ...more });
          opened.push(node);
          return node;
        };
        const refused: Machine['refused'] = (code, message, more) => assert.rejects(open(more), { code, message });
        try {
          await use({ ...project, sshd, open, refused });
        } finally {
          await Promise.all(opened.map((node) => node.close()));
        }
      },
      { path: quickPath(project.dir), ...options },
    );
  });
}

async function link(name: string, folder: string): Promise<void> {
  const program = name === 'node' ? process.execPath : execFileSync('which', [name], { encoding: 'utf8' }).trim();
  await writeFile(join(folder, name), `#!/bin/sh\nexec '${program}' "$@"\n`);
  await chmod(join(folder, name), 0o755);
}

/** Runs `use` while a small file system is mounted at the folder. */
async function withMount(folder: string, options: string, use: () => Promise<void>): Promise<void> {
  await mkdir(folder, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]);
  try {
    await use();
  } finally {
    execFileSync('umount', ['-l', folder]);
  }
}

let cacheDir: string;

describe('a machine that is not as it should be', () => {
  before(async () => {
    cacheDir = await mkdtemp(join(tmpdir(), 'helix-test-'));
  });
  after(() => rm(cacheDir, { recursive: true }));

  it('that has no such user is refused with the user and what to do', () =>
    withMachine(({ sshd, refused }) =>
      refused('node.authentication', /^nobody-here@127\.0\.0\.1:\d+ accepted none of the keys.*another user/, {
        ssh: { ...sshd.target, user: 'nobody-here' },
      }),
    ));

  it('whose account has no shell is refused with what it says', () =>
    withMachine(
      ({ refused }) =>
        refused('node.unsuitable', /exit code 1; it said: This account is currently not available.*login shell/),
      { loginShell: '/usr/sbin/nologin' },
    ));

  it('with a read-only home is refused, naming the folder and the way out, which works', () =>
    withMachine(async ({ sshd, refused, open }) => {
      await withMount(sshd.home, 'ro', async () => {
        await refused('node.unsuitable', /~\/\.helix on machine cannot be written \(.*Read-only file system\).*--root/);
      });
      const root = join(dirname(sshd.home), 'elsewhere');
      const node = await open({ ssh: { ...sshd.target, root } });
      assert.equal(node.facts.os, 'linux');
    }));

  it('without space is refused as full, and nothing half-written is left', () =>
    withMachine(async ({ sshd, refused }) => {
      await withMount(sshd.home, 'size=64k', async () => {
        await refused('node.disk-full', /the disk of machine is full \(.*agent-/);
        const left = execFileSync('find', [join(sshd.home, '.helix'), '-type', 'f'], { encoding: 'utf8' });
        assert.equal(left, '');
      });
    }));

  it('with a folder where no program runs is refused at once, and /tmp may be such a one', () =>
    withMachine(async ({ sshd, refused, open, spec }) => {
      const root = join(sshd.home, 'noexec');
      await withMount(root, 'noexec', () =>
        refused('node.unsuitable', /runs no programs \(mounted noexec\).*--root/, { ssh: { ...sshd.target, root } }),
      );
      const node = await open();
      const { log } = await runStep(node, await spec('case $TMPDIR in "$HOME"/.helix/*) echo own;; esac'));
      assert.equal(log, 'own\n');
    }));

  it('with a banner and a start-up file that prints much works like any other', () =>
    withProject(async ({ dir }) => {
      await writeFile(join(dir, 'banner'), 'AUTHORISED USE ONLY\n'.repeat(100));
      const bashrc = 'seq 1 20000; echo "os=plan9"; echo __helix; printf "\\033[31mno newline"; seq 1 1000 >&2\n';
      await withMachine(
        async ({ open, spec }) => {
          const node = await open();
          assert.equal(node.facts.os, 'linux');
          assert.equal((await runStep(node, await spec('echo quiet'))).log, 'quiet\n');
        },
        { bashrc, config: [`Banner ${join(dir, 'banner')}`] },
      );
    }));

  for (const loginShell of ['/usr/bin/fish', '/bin/tcsh']) {
    it(`whose user has ${loginShell} works like any other, with the PATH of that shell`, () =>
      withMachine(
        async ({ sshd, open, spec, dir }) => {
          await mkdir(join(dir, 'own'));
          await link('git', join(dir, 'own'));
          const own = join(dir, 'own');
          await mkdir(join(sshd.home, '.config/fish'), { recursive: true });
          await writeFile(join(sshd.home, '.config/fish/config.fish'), `set -gx PATH ${own} $PATH\necho hello\n`);
          await writeFile(join(sshd.home, '.tcshrc'), `setenv PATH ${own}:$PATH\necho hello\n`);
          execFileSync('chown', ['-R', sshd.target.user, sshd.home]);
          const node = await open();
          const { log } = await runStep(node, await spec("command -v git; echo 'it''s'; id -un"));
          assert.equal(log, `${own}/git\nits\n${sshd.target.user}\n`);
        },
        { loginShell },
      ));
  }

  it('with a locale it does not have keeps the bytes of names and texts', () =>
    withMachine(
      async ({ open, spec, snapshot }) => {
        const node = await open();
        const text = 'Grüße, 日本\n';
        const step = await spec('ls; cat *.txt; printf "\\377\\n" > raw', {
          snapshot: await snapshot({ 'Grüße-日本.txt': text }),
        });
        const { log, exitCode } = await runStep(node, step);
        assert.equal(exitCode, 0);
        assert.ok(log.endsWith(`Grüße-日本.txt\n${text}`), log);
      },
      { config: ['SetEnv LC_ALL=ja_JP.SJIS LANG=tr_TR.ISO-8859-9'] },
    ));

  it('that answers with garbage is refused in a short and printable message', async () => {
    const printable = (error: Error & { code?: string }): boolean =>
      error.code === 'node.unsuitable' && error.message.length < 700 && !/[^\P{C}]/u.test(error.message);
    const answers = ['head -c 300000 /dev/urandom', 'cat', 'yes __helix_probe__ | head -n 1000'];
    for (const answer of answers) {
      await withMachine(({ open }) => assert.rejects(open(), printable), { config: [`ForceCommand ${answer}`] });
    }
  });

  it('whose Node is something else is refused, whether it babbles, is silent, or lies', () =>
    withMachine(async ({ dir, refused }) => {
      const node = join(quickPath(dir), 'node');
      const pretend = async (script: string) => {
        await writeFile(node, `#!/bin/sh\n[ "$1" = -p ] && echo 24.0.0 && exit\n${script}\n`);
      };
      await pretend('head -c 3000000 /dev/urandom');
      await refused('node.unreachable', /the agent on machine did not start: it sends something else; it said: /);
      await pretend("echo '@@helix-agent-ready@@'; head -c 100 /dev/zero | tr '\\0' '\\377'; sleep 5");
      await refused('node.unreachable', /the agent on machine did not start: the stream holds no frame/);
      await pretend('echo oops >&2; exit 3');
      await refused('node.unreachable', /did not start: oops/);
    }));

  it('that is registered under another name already is told by its folder, and another folder of it is not', () =>
    withMachine(async ({ sshd, open }) => {
      const [one, two] = [await open(), await open({ name: 'again' })];
      const other = await open({ name: 'other', ssh: { ...sshd.target, root: '~/other' } });
      const record = (name: string, facts: NodeFacts): NodeRecord => nodeRecord(name, { facts });
      const records = [record('one', one.facts)];
      assert.throws(() => refuseSecondName('again', two.facts, records), {
        code: 'node.same-machine',
        message: /^again is the machine that is registered as one .*helix nodes remove one.*--root/,
      });
      refuseSecondName('other', other.facts, records);
      refuseSecondName('one', one.facts, records);
      assert.equal(other.facts.machine?.id, one.facts.machine?.id);
    }));
});

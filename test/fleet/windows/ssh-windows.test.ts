import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { openSshNode, type SshNodeOptions } from '../../../fleet/node.ts';
import type { SshFleetNode } from '../../../fleet/ssh-node.ts';
import { powerShellCommand, quoteWindows } from '../../../fleet/ssh/windows-machine.ts';
import { pathWith, systemPrograms } from '../../support/few-programs.ts';
import { type WindowsMachine, withWindowsSshd } from '../../support/windows-sshd.ts';
import { type Project, quickTiming, runStep, withProject } from '../project-fixture.ts';

const root = "C:\\Users\\Me O'Neill\\.helix";
const mark = '__helix_probe__';

let cacheDir: string;

/** What the probe's script prints on a machine with Windows, after what a profile prints. */
function printed(lines: Record<string, string>): string {
  const text = Object.entries({ os: 'win32', arch: 'AMD64', shell: '', root, ...lines }).map(
    ([name, value]) => `${name}=${value}`,
  );
  return ['Welcome', '', mark, ...text, mark, ''].join('\r\n');
}

async function withMachine(
  lines: Record<string, string>,
  use: (machine: WindowsMachine & Project & { open(): Promise<SshFleetNode>; bin: string }) => Promise<void>,
): Promise<void> {
  await withProject(async (project) => {
    const drive = join(project.dir, 'drive');
    const bin = join(drive, "Users/Me O'Neill/.helix/bin");
    await mkdir(bin, { recursive: true });
    const opened: SshFleetNode[] = [];
    const answer = (script: string): string => {
      // What makes the folder there.
      assert.match(script, /New-Item -ItemType Directory/);
      return printed(lines);
    };
    const env = {
      ...process.env,
      PATH: pathWith(project.dir, [...systemPrograms, 'git', 'node']),
      SHELL: '/bin/false',
    };
    await withWindowsSshd(drive, env, answer, async (machine) => {
      const options: SshNodeOptions = {
        name: 'win',
        ssh: machine.target,
        hostKey: { kind: 'accept-new' },
        cacheDir,
        stores: project.stores,
        timing: quickTiming,
      };
      const open = async (): Promise<SshFleetNode> => {
        const node = await openSshNode(options);
        opened.push(node);
        return node;
      };
      try {
        await use({ ...machine, ...project, open, bin });
      } finally {
        await Promise.all(opened.map((node) => node.close()));
      }
    });
  });
}

describe('a machine with Windows, over SSH', () => {
  before(async () => {
    cacheDir = await mkdtemp(join(tmpdir(), 'helix-agent-'));
  });
  after(() => rm(cacheDir, { recursive: true, force: true }));

  it('is found out by PowerShell where there is no POSIX shell, gets the agent by SFTP and runs steps', async () => {
    await withMachine({ node: 'C:\\node.exe' }, async ({ open, spec, asked, written, bin }) => {
      const node = await open();
      const { exitCode, log } = await runStep(node, await spec('cat a.txt; exit 4'));
      assert.deepEqual([exitCode, log], [4, 'a\n']);
      const [shell, probe, agent] = asked;
      assert.equal(shell, '/bin/sh');
      assert.match(probe ?? '', /^powershell -NoProfile -NonInteractive -EncodedCommand [\w+/=]+$/);
      assert.ok((probe ?? '').length < 8000, 'cmd.exe takes no more');
      assert.match(agent ?? '', /^"C:\\node\.exe" "C:\\Users\\Me O'Neill\\\.helix\\bin\\agent-\w{16}\.mjs" "serve"/);
      const [name = '', ...others] = await readdir(bin);
      assert.match(name, /^agent-\w{16}\.mjs$/);
      assert.deepEqual(others, [], 'no draft is left');
      assert.equal(written.length, 1);
      assert.ok(written[0]?.startsWith(`/C:/Users/Me O'Neill/.helix/bin/${name}.`), 'it is written under another name');
      await node.close();
      await open();
      assert.equal(written.length, 1, 'what is there is not sent again');
    });
  });

  it('gets the agent again that did not arrive whole', async () => {
    await withMachine({ node: 'C:\\node.exe' }, async ({ open, spec, written, bin }) => {
      await (await open()).close();
      const [name = ''] = await readdir(bin);
      await writeFile(join(bin, name), 'half of it');
      const { exitCode } = await runStep(await open(), await spec('true'));
      assert.equal(exitCode, 0);
      assert.deepEqual(await readdir(bin), [name]);
      assert.equal(written.length, 2);
      assert.equal(basename(written[1] ?? '').startsWith(name), true);
    });
  });

  for (const [what, lines, message] of [
    ['without Node', {}, /win has no Node on its PATH: install Node 20 or later there/],
    ['with an old Node', { oldNode: '18.20.8' }, /win has only Node 18\.20\.8 on its PATH/],
    [
      'whose default shell is PowerShell',
      { shell: 'C:\\WINDOWS\\System32\\WindowsPowerShell\\v1.0\\powershell.exe' },
      /default shell .* make cmd\.exe/,
    ],
  ] as const) {
    it(`is refused ${what}, with what to do`, async () => {
      await withMachine(lines, async ({ open, written }) => {
        await assert.rejects(open(), { code: 'node.unsuitable', message });
        assert.deepEqual(written, []);
      });
    });
  }

  it('is given words as cmd.exe and the programs on it read them', () => {
    assert.equal(quoteWindows(['C:\\a b\\node.exe', '{"x":1}'], 'win'), '"C:\\a b\\node.exe" "{\\"x\\":1}"');
    assert.throws(() => quoteWindows(['C:\\100%PATH%'], 'win'), { code: 'node.unsuitable' });
    assert.equal(powerShellCommand('é').split(' ').at(-1), '6QA=');
  });
});

import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withTempDir } from '../support/temp-dir.ts';
import { helix } from './helix.ts';

/** Where nothing answers: what is refused before anything is started ends with 2, what gets as far as this with 3. */
const nowhere = ['--api', 'http://127.0.0.1:1'];

describe('wrong usage of the command line', () => {
  it('ends with exit code 2 and says what is allowed, before anything is started', () =>
    withTempDir(async (dir) => {
      await mkdir(join(dir, 'repo', '.git'), { recursive: true });
      await writeFile(join(dir, 'file'), '');
      const repo = ['--repo', join(dir, 'repo')];
      const cases: [string[], RegExp][] = [
        [['bogus'], /unknown command 'bogus'/],
        [['run', '--bogus'], /unknown option '--bogus'/],
        [['run', 'goal', 'another'], /too many arguments/],
        [
          ['run', ...repo, '--modes', 'planning,bulding'],
          /unknown mode "bulding".*planning, building, testing, refactoring/,
        ],
        [['run', ...repo, '--recipe', 'renam:a=b'], /unknown recipe "renam".*rename-symbol:.*move-file:/],
        [['run', ...repo, '--recipe', 'move-file:a'], /move-file:FROM=TO/],
        [['run', ...repo, '--modes', 'testing', '--recipe', 'move-file:a=b'], /needs the mode refactoring/],
        [['run', ...repo, '--node-class', 'a b'], /--node-class: "a b" is no capability/],
        [['run', ...repo, '--step-timeout', 'soon'], /--step-timeout takes a time like 90s/],
        [['run', '--repo', join(dir, 'missing')], /missing does not exist/],
        [['run', '--repo', join(dir, 'file')], /file is a file/],
        [['run', '--repo', dir], /is not in a git repository.*git init/],
        [['jobs', '--limit', 'x'], /--limit takes/],
        [['logs', 'job-aaaaaaaaaaaa', '--step', '0'], /--step takes/],
        [['rollback', 'job-aaaaaaaaaaaa', 'first'], /c0 or c12, not "first"/],
        [['show'], /missing required argument 'job'/],
        [['nodes', 'add', 'a b', '--accept-new'], /\[user@\]host\[:port\]/],
        [['nodes', 'add', 'h', '--accept-new', '--fingerprint', 'x'], /only one of/],
        [['nodes', 'add', 'h', '--fingerprint', 'x'], /SHA256:/],
        [['nodes', 'add', 'h', '--accept-new', '--key', join(dir, 'none')], /--key: .*none cannot be read/],
        [['jobs', '--api', 'localhost'], /--api takes an address/],
      ];
      const outputs = await Promise.all(cases.map(([args]) => helix([...nowhere, ...args], { cwd: dir })));
      outputs.forEach(({ code, stderr, stdout }, index) => {
        const [args, pattern] = cases[index]!;
        assert.deepEqual([code, stdout], [2, ''], `${args.join(' ')}: ${stderr}`);
        assert.match(stderr, pattern);
      });
    }));

  it('never shows the value of a variable', () =>
    withTempDir(async (dir) => {
      for (const variable of ['A B=hunter2', '=hunter2', 'hunter2']) {
        const { code, stderr } = await helix([...nowhere, 'run', '--env', variable], { cwd: dir });
        assert.equal(code, 2);
        assert.match(stderr, /--env takes NAME=VALUE/);
        assert.doesNotMatch(stderr, /hunter2/);
      }
    }));

  it('ends with exit code 3 when nothing answers', async () => {
    const { code, stderr } = await helix([...nowhere, 'jobs']);
    assert.equal(code, 3);
    assert.match(stderr, /does not answer at http:\/\/127\.0\.0\.1:1 .*helix up/);
  });
});

describe('help', () => {
  it('lists every command, and the options of each', async () => {
    const all = await helix(['--help']);
    assert.equal(all.code, 0);
    for (const name of 'start up down status run jobs show logs watch approve reject pause resume cancel rollback diff apply nodes'.split(
      ' ',
    )) {
      assert.match(all.stdout, new RegExp(`^  ${name} `, 'm'));
    }
    const [run, same] = await Promise.all([helix(['run', '--help']), helix(['help', 'run'])]);
    assert.match(run.stdout, /--recipe <name:args>/);
    assert.deepEqual(same, run);
  });
});

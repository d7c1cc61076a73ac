import assert from 'node:assert/strict';
import { access, writeFile } from 'node:fs/promises';
import { openHistory } from '../../snapshots/history.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { makeRepository, userGit, writeFiles } from './helpers.ts';

async function withRepository(use: (path: string, first: string, dir: string) => Promise<void>): Promise<void> {
  await withTempDir(async (dir) => {
    const path = `${dir}/repository`;
    const first = await makeRepository(path, { 'a.txt': 'one\ntwo\n', 'b/c.txt': 'c\n' });
    await writeFiles(path, { 'a.txt': 'one\nTWO\n' });
    await userGit(path, 'commit', '-q', '-am', 'second: über\n\nWith a body.\n\nOf two paragraphs.');
    await use(path, first, dir);
  });
}

describe('the history of a repository', () => {
  it('tells commits, their changes, and who wrote each line', () =>
    withRepository(async (path, first) => {
      const history = openHistory(path);
      const log = await history.log({ limit: 5 });
      assert.deepEqual(
        log.map(({ subject, body, author }) => [subject, body, author]),
        [
          ['second: über', 'With a body.\n\nOf two paragraphs.', 'User'],
          ['first', '', 'User'],
        ],
      );
      assert.equal(log[1]!.commit, first);
      assert.equal((await history.log({ limit: 5, path: 'b' })).length, 1);
      assert.equal((await history.log({ limit: 1 })).length, 1);
      assert.deepEqual(await history.changedPaths('HEAD'), ['a.txt']);
      assert.deepEqual(await history.changedPaths(first), ['a.txt', 'b/c.txt']);
      assert.match(await history.patch({ ref: 'main' }), /^-two\n\+TWO$/m);
      assert.doesNotMatch(await history.patch({ ref: first, paths: ['b'] }), /a\.txt/);
      const blamed = await history.blame({ path: 'a.txt' });
      assert.deepEqual(
        blamed.map(({ line, commit, text }) => [line, commit === first, text]),
        [
          [1, true, 'one'],
          [2, false, 'TWO'],
        ],
      );
      assert.equal((await openHistory(path, first).blame({ path: 'a.txt', lines: [2, 2] }))[0]!.text, 'two');
    }));

  it('refuses what is no commit, no file and no path inside', () =>
    withRepository(async (path) => {
      const history = openHistory(path);
      for (const ref of ['nothing', '--output=x', '-n1', 'HEAD~9', '']) {
        await assert.rejects(history.log({ ref, limit: 1 }), { code: 'source.ref-not-found' }, ref);
      }
      await assert.rejects(history.blame({ path: 'none' }), { code: 'usage.invalid' });
      await assert.rejects(history.blame({ path: 'a.txt', lines: [7, 9] }), {
        code: 'usage.invalid',
        message: /2 lines/,
      });
      await assert.rejects(history.log({ path: '../x', limit: 1 }), { code: 'usage.invalid' });
      await assert.rejects(openHistory('/nonexistent').log({ limit: 1 }), { code: 'source.not-a-repository' });
    }));

  it('reads shallow clones to their end', () =>
    withRepository(async (path, _first, dir) => {
      await userGit(dir, 'clone', '-q', '--depth=1', `file://${path}`, 'shallow');
      assert.equal((await openHistory(`${dir}/shallow`).log({ limit: 5 })).length, 1);
    }));

  it('starts no program that the repository names', () =>
    withRepository(async (path, _first, dir) => {
      const script = `${dir}/evil.sh`;
      await writeFile(script, `#!/bin/sh\ntouch ${dir}/ran\ncat "$1"\n`, { mode: 0o755 });
      await writeFiles(path, { '.gitattributes': '*.txt diff=evil\n' });
      await userGit(path, 'add', '-A');
      await userGit(path, 'commit', '-q', '-m', 'attributes');
      const settings = [
        'diff.evil.textconv',
        'diff.evil.command',
        'diff.external',
        'core.pager',
        'gpg.program',
        'core.fsmonitor',
      ];
      for (const name of settings) await userGit(path, 'config', name, script);
      await userGit(path, 'config', 'log.showSignature', 'true');
      await writeFile(`${path}/.git/info/attributes`, '*.txt diff=evil\n');
      const history = openHistory(path);
      await history.log({ limit: 5 });
      await history.patch({ ref: 'HEAD~1' });
      await history.blame({ path: 'a.txt' });
      await assert.rejects(access(`${dir}/ran`), { code: 'ENOENT' });
    }));
});

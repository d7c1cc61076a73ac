import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { applyPatch } from '../../snapshots/apply.ts';
import { publishBranch } from '../../snapshots/publish.ts';
import { importSource } from '../../snapshots/source.ts';
import type { ImportedSource } from '../../contracts/snapshot.ts';
import { openStore } from '../../snapshots/store.ts';
import type { SnapshotStore } from '../../snapshots/store.ts';
import { openWorkspace } from '../../snapshots/workspace.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { makeRepository, manifest, userGit, writeFiles } from './helpers.ts';
import type { Files } from './helpers.ts';

interface Job {
  dir: string;
  repo: string;
  store: SnapshotStore;
  source: ImportedSource;
  /** The snapshot after further changes to the source. */
  change(files: Files): Promise<string>;
}

async function withJob(
  files: Files,
  prepare: (repo: string, dir: string) => Promise<void>,
  use: (job: Job) => Promise<void>,
): Promise<void> {
  await withTempDir(async (dir) => {
    const repo = `${dir}/repo`;
    await makeRepository(repo, files);
    await prepare(repo, dir);
    const store = await openStore(`${dir}/store`);
    const source = await importSource(store, { location: repo });
    const work = await openWorkspace(store, `${dir}/w`, { exclude: [] });
    const change = async (changes: Files): Promise<string> => {
      await work.restore(source.snapshot);
      await writeFiles(`${dir}/w`, changes);
      return work.capture();
    };
    await use({ dir, repo, store, source, change });
  });
}

const nothing = async (): Promise<void> => {};

/** Everything in `.git` but objects and the branches of Helix. */
async function otherState(repo: string): Promise<string> {
  const script = 'find .git -type f -not -path ".git/objects/*" -not -path "*/helix/*" -exec sha1sum {} \\; | sort';
  return (await promisify(execFile)('sh', ['-c', script], { cwd: repo })).stdout;
}

describe('publishing a branch', () => {
  it('writes commits and one ref, and nothing else', () =>
    withJob({ a: '1', b: '1' }, nothing, async ({ dir, repo, store, source, change }) => {
      await writeFiles(dir, { 'hook.sh': { run: `#!/bin/sh\necho ran >> ${dir}/proof\n` } });
      for (const hook of ['reference-transaction', 'post-index-change', 'post-commit', 'pre-push', 'update']) {
        await writeFiles(`${repo}/.git/hooks`, { [hook]: { run: `#!/bin/sh\necho ran >> ${dir}/proof\n` } });
      }
      const [state, files] = [await otherState(repo), await manifest(repo)];
      const one = await change({ a: '2' });
      const two = await change({ a: '2', c: 'new' });
      const options = {
        repository: repo,
        branch: 'helix/job-1',
        base: source.commit,
        commits: [
          { snapshot: source.snapshot, message: 'working tree as found' },
          { snapshot: one, message: 'change a' },
          { snapshot: one, message: 'change nothing' },
          { snapshot: two, message: 'add c\n\nwith a body' },
        ],
      };
      const { commit } = await publishBranch(store, options);
      assert.equal(await userGit(repo, 'rev-parse', 'helix/job-1'), commit);
      assert.equal(
        await userGit(repo, 'log', '--format=%s|%an|%ae', `${source.commit}..helix/job-1`),
        'add c|HelixCode|helixcode@localhost\nchange a|HelixCode|helixcode@localhost',
      );
      assert.equal(await userGit(repo, 'show', 'helix/job-1:c'), 'new');
      assert.deepEqual([await otherState(repo), await manifest(repo)], [state, files]);
      assert.deepEqual(await publishBranch(store, options), { commit }, 'the same again');
      const other = await publishBranch(await openStore(store.dir), { ...options, branch: 'helix/job-2' });
      assert.equal(other.commit, commit, 'the same input gives the same ids');
      await userGit(repo, 'fsck', '--strict');
      assert.equal(await readFile(`${dir}/proof`, 'utf8').catch(() => 'nothing ran'), 'nothing ran');
      await userGit(repo, 'branch', 'control');
      assert.match(await readFile(`${dir}/proof`, 'utf8'), /ran/, 'the hooks work');
    }));

  it('puts uncommitted work into a first commit', () =>
    withJob(
      { a: '1' },
      (repo) => writeFiles(repo, { a: 'uncommitted', new: 'n' }),
      async ({ repo, store, source, change }) => {
        const commits = [
          { snapshot: source.snapshot, message: 'working tree as found' },
          { snapshot: await change({ b: '2' }), message: 'add b' },
        ];
        await publishBranch(store, { repository: repo, branch: 'helix/x', base: source.commit, commits });
        assert.equal(
          await userGit(repo, 'log', '--format=%s', '--reverse', 'main..helix/x'),
          'working tree as found\nadd b',
        );
        assert.equal(await userGit(repo, 'show', 'helix/x~1:a'), 'uncommitted');
      },
    ));

  it('makes the branch also when nothing changed, and in a repository without commits', () =>
    withJob({ a: '1' }, nothing, async ({ dir, repo, store, source }) => {
      const commits = [{ snapshot: source.snapshot, message: 'working tree as found' }];
      await publishBranch(store, { repository: repo, branch: 'helix/same', base: source.commit, commits });
      assert.equal(await userGit(repo, 'rev-parse', 'helix/same'), source.commit);
      await userGit(dir, 'init', '-q', 'fresh');
      const { commit } = await publishBranch(store, {
        repository: `${dir}/fresh`,
        branch: 'helix/first',
        base: null,
        commits,
      });
      assert.equal(await userGit(`${dir}/fresh`, 'rev-list', '--count', commit), '1');
    }));

  it('leaves a branch with other commits alone unless forced, and one that is checked out in any case', () =>
    withJob({ a: '1' }, nothing, async ({ dir, repo, store, source, change }) => {
      const commits = [{ snapshot: await change({ a: '2' }), message: 'change' }];
      const options = { repository: repo, branch: 'helix/x', base: source.commit, commits };
      await publishBranch(store, options);
      const moved = { ...options, commits: [{ snapshot: await change({ a: '3' }), message: 'another change' }] };
      await assert.rejects(publishBranch(store, moved), { code: 'source.conflict' });
      assert.equal(await userGit(repo, 'show', 'helix/x:a'), '2');
      await publishBranch(store, { ...moved, force: true });
      assert.equal(await userGit(repo, 'show', 'helix/x:a'), '3');
      await userGit(repo, 'worktree', 'add', '-q', `${dir}/elsewhere`, 'helix/x');
      await assert.rejects(publishBranch(store, { ...options, force: true }), {
        code: 'source.conflict',
        message: /checked out in .*elsewhere/,
      });
      await userGit(repo, 'branch', 'helix-flat');
      await assert.rejects(publishBranch(store, { ...options, branch: 'helix-flat/x' }), { code: 'source.conflict' });
      for (const branch of ['a..b', '-x', 'x.lock', '']) {
        await assert.rejects(publishBranch(store, { ...options, branch }), { code: 'usage.invalid' }, branch);
      }
      await assert.rejects(publishBranch(store, { ...options, branch: 'helix/y', base: '1'.repeat(40) }), {
        code: 'source.ref-not-found',
      });
    }));

  it('keeps submodules, line ends and large-file pointers that the job did not touch', () => {
    const large = Buffer.alloc(5000, 'large');
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${createHash('sha256').update(large).digest('hex')}\nsize 5000\n`;
    const prepare = async (repo: string, dir: string): Promise<void> => {
      await makeRepository(`${dir}/sub`, { inner: '1' });
      for (const path of ['kept', 'edited']) {
        await userGit(repo, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', `${dir}/sub`, path);
      }
      await userGit(repo, 'commit', '-qm', 'submodules');
      await writeFiles(repo, { 'win.bat': 'echo 1\r\necho 2\r\n', 'large.bin': large });
    };
    return withJob(
      { 'win.bat': 'echo 1\necho 2\n', 'large.bin': pointer, a: '1' },
      prepare,
      async ({ repo, store, source, change }) => {
        const commits = [
          { snapshot: source.snapshot, message: 'working tree as found' },
          { snapshot: await change({ a: '2', 'edited/inner': '2' }), message: 'change' },
        ];
        await publishBranch(store, { repository: repo, branch: 'helix/x', base: source.commit, commits });
        assert.equal(await userGit(repo, 'log', '--format=%s', 'main..helix/x'), 'change');
        assert.equal(
          await userGit(repo, 'diff', '--name-status', '--no-renames', 'main', 'helix/x'),
          'M\ta\nD\tedited\nA\tedited/inner',
        );
      },
    );
  });
});

describe('applying a patch', () => {
  it('changes the working tree and nothing else', () =>
    withJob(
      { a: 'one\ntwo\n', gone: 'g', 'crlf.txt': 'x\r\ny\r\n', '.gitattributes': '* text filter=evil\n' },
      nothing,
      async ({ dir, repo, store, source, change }) => {
        await writeFiles(dir, { 'evil.sh': { run: `#!/bin/sh\necho ran >> ${dir}/proof\ncat\n` } });
        await userGit(repo, 'config', 'filter.evil.smudge', `${dir}/evil.sh`);
        await userGit(repo, 'config', 'filter.evil.clean', `${dir}/evil.sh`);
        const after = await change({
          a: 'one\nTWO\n',
          'crlf.txt': 'x\r\nY\r\n',
          'new/tool': { run: 'x' },
          bin: Buffer.from([0, 255]),
          link: { link: 'a' },
        });
        const state = await otherState(repo);
        assert.deepEqual(await applyPatch(repo, await store.patch(source.snapshot, after)), { files: 5 });
        assert.deepEqual(await manifest(repo), await manifest(`${dir}/w`));
        assert.equal(await otherState(repo), state);
        assert.equal(await readFile(`${dir}/proof`, 'utf8').catch(() => 'nothing ran'), 'nothing ran');
        assert.deepEqual(await applyPatch(repo, Buffer.alloc(0)), { files: 0 });
      },
    ));

  it('is all or nothing, and names the files that do not fit', () =>
    withJob({ a: '1\n', b: '1\n', c: Buffer.from([0, 1]) }, nothing, async ({ dir, repo, store, source, change }) => {
      const after = await change({ a: '2\n', b: '2\n', c: Buffer.from([0, 2]), d: '2\n' });
      await writeFiles(repo, { b: 'edited meanwhile\n', c: Buffer.from([0, 9]), d: 'in the way\n' });
      const before = await manifest(repo);
      await assert.rejects(
        applyPatch(repo, await store.patch(source.snapshot, after)),
        (error: Error & { code: string; details: { files: string[] } }) => {
          assert.equal(error.code, 'source.conflict');
          assert.deepEqual([...error.details.files].sort(), ['b', 'c', 'd']);
          return true;
        },
      );
      assert.deepEqual(await manifest(repo), before);
      await assert.rejects(applyPatch(repo, Buffer.from('nonsense')), { code: 'usage.invalid' });
      await assert.rejects(applyPatch(dir, Buffer.from('nonsense')), { code: 'source.not-a-repository' });
      await mkdir(`${dir}/outside`);
      const escape =
        'diff --git a/../outside/x b/../outside/x\nnew file mode 100644\n--- /dev/null\n+++ b/../outside/x\n@@ -0,0 +1 @@\n+x\n';
      await assert.rejects(applyPatch(repo, Buffer.from(escape)));
      await writeFile(`${dir}/outside/y`, '');
      assert.deepEqual((await manifest(`${dir}/outside`)).length, 1);
    }));
});

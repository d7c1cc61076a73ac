import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { appendFile, copyFile, mkdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { importSource, projectIdFor } from '../../snapshots/source.ts';
import { openStore } from '../../snapshots/store.ts';
import type { SnapshotStore } from '../../snapshots/store.ts';
import { openWorkspace } from '../../snapshots/workspace.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { difference, makeRepository, manifest, userGit, writeFiles } from './helpers.ts';

async function withRepository(
  use: (place: { dir: string; repo: string; store: SnapshotStore; head: string }) => Promise<void>,
): Promise<void> {
  await withTempDir(async (dir) => {
    const repo = `${dir}/repo`;
    const head = await makeRepository(repo, {
      '.gitignore': '*.log\nbuild/\n',
      'src/a.ts': 'a\n',
      'run.sh': { run: '#!/bin/sh\n' },
    });
    await use({ dir, repo, head, store: await openStore(`${dir}/store`) });
  });
}

async function paths(store: SnapshotStore, id: string): Promise<string[]> {
  return (await store.list(id)).map((file) => file.path);
}

/** Every file of a `.git` with its bytes and times. */
async function gitFolder(repo: string): Promise<string> {
  const { stdout } = await promisify(execFile)(
    'sh',
    ['-c', 'find .git -type f -printf "%p %m %T@ " -exec sha1sum {} \\; | sort'],
    { cwd: repo },
  );
  return stdout;
}

describe('importing a working tree', () => {
  it('takes it as it is and never writes to the repository', () =>
    withRepository(async ({ dir, repo, head, store }) => {
      assert.equal((await importSource(store, { location: repo })).dirty, false);
      await writeFiles(repo, {
        'src/a.ts': 'edited\n',
        'untracked/new.ts': 'n',
        'build/out': 'ignored',
        'x.log': 'ignored',
        empty: null,
        'staged.ts': 's',
      });
      await writeFiles(repo, { 'forced.log': 'tracked though ignored' });
      await userGit(repo, 'add', '-f', 'staged.ts', 'forced.log');
      await rm(`${repo}/run.sh`);
      // Touched, so that git would refresh its index if it were let.
      await utimes(`${repo}/.gitignore`, new Date(), new Date());
      const before = await gitFolder(repo);
      const found = await importSource(store, { location: repo });
      assert.equal(await gitFolder(repo), before);
      assert.deepEqual([found.commit, found.dirty], [head, true]);
      assert.deepEqual(await paths(store, found.snapshot), [
        '.gitignore',
        'forced.log',
        'src/a.ts',
        'staged.ts',
        'untracked/new.ts',
      ]);
      assert.deepEqual((await store.contents(found.snapshot)).emptyFolders, ['empty']);
      await (await openWorkspace(store, `${dir}/w`, { exclude: [] })).restore(found.snapshot);
      const expected = (await manifest(repo)).filter((line) => !/ (build\/out|x\.log)$/.test(line));
      assert.deepEqual(difference(expected, await manifest(`${dir}/w`)), []);
    }));

  it('gives the same from a remembered index as from an empty one', () =>
    withRepository(async ({ dir, repo, store }) => {
      await writeFiles(repo, { 'notes.txt': 'untracked', 'forced.log': 'tracked' });
      await userGit(repo, 'add', '-f', 'forced.log');
      await importSource(store, { location: repo });
      await appendFile(`${repo}/.gitignore`, 'notes.txt\n');
      await userGit(repo, 'rm', '-q', '--cached', 'forced.log');
      const warm = await importSource(store, { location: repo });
      const cold = await importSource(await openStore(`${dir}/cold`), { location: repo });
      assert.deepEqual(warm, cold);
      assert.deepEqual(await paths(store, warm.snapshot), ['.gitignore', 'run.sh', 'src/a.ts']);
    }));

  it('tells touched files from changed ones', () =>
    withRepository(async ({ repo, store }) => {
      await utimes(`${repo}/src/a.ts`, new Date(0), new Date(0));
      assert.equal((await importSource(store, { location: repo })).dirty, false);
      await writeFile(`${repo}/src/a.ts`, 'b\n');
      assert.equal((await importSource(store, { location: repo })).dirty, true);
      await userGit(repo, 'commit', '-qam', 'second');
      assert.equal((await importSource(store, { location: repo })).dirty, false);
    }));

  it('leaves out what .git/info/exclude names', () =>
    withRepository(async ({ repo, store }) => {
      await writeFile(`${repo}/.git/info/exclude`, 'private*\n');
      await writeFiles(repo, { 'private.env': 'secret', 'private-empty': null });
      const found = await importSource(store, { location: repo });
      assert.deepEqual(await paths(store, found.snapshot), ['.gitignore', 'run.sh', 'src/a.ts']);
      assert.deepEqual([found.dirty, (await store.contents(found.snapshot)).emptyFolders], [false, []]);
    }));

  it('leaves out what the user has git ignore in all repositories, unless this one says otherwise', () =>
    withRepository(async ({ dir, repo, store }) => {
      await writeFiles(dir, {
        'home/.gitconfig': '[core]\n\texcludesFile = ~/everywhere\n',
        'home/everywhere': '*.swp\n.idea/\n',
        'config/git/ignore': '*~\n',
      });
      await writeFiles(repo, { 'a.swp': '1', '.idea/x': '2', 'b~': '3', 'kept.swp': '4', 'private.env': '5' });
      await writeFile(`${repo}/.git/info/exclude`, '!kept.swp\nprivate*');
      const imported = async (environment: NodeJS.ProcessEnv): Promise<string[]> => {
        const before = { ...process.env };
        Object.assign(process.env, environment);
        try {
          return await paths(store, (await importSource(store, { location: repo })).snapshot);
        } finally {
          for (const name of Object.keys(environment)) delete process.env[name];
          Object.assign(process.env, before);
        }
      };
      const [home, nobody] = [`${dir}/home`, `${dir}/nobody`];
      const own = ['.gitignore', 'run.sh', 'src/a.ts'];
      const named = await imported({ HOME: home, XDG_CONFIG_HOME: `${dir}/config` });
      assert.deepEqual(named, [...own, 'b~', 'kept.swp'].sort());
      const usual = await imported({ HOME: nobody, XDG_CONFIG_HOME: `${dir}/config` });
      assert.deepEqual(usual, [...own, '.idea/x', 'a.swp', 'kept.swp'].sort());
      const none = await imported({ HOME: nobody, XDG_CONFIG_HOME: '' });
      assert.deepEqual(none, [...own, '.idea/x', 'a.swp', 'b~', 'kept.swp'].sort());
    }));

  it('runs nothing of a hostile repository', () =>
    withRepository(async ({ dir, repo, store }) => {
      const proof = `${dir}/proof`;
      const evil = `${dir}/evil.sh`;
      await writeFiles(dir, { 'evil.sh': { run: `#!/bin/sh\necho "$0 $@" >> ${proof}\nexit 1\n` } });
      await makeRepository(`${dir}/sub`, { 'in-sub': '1' });
      await userGit(repo, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', `${dir}/sub`, 'sub');
      await userGit(repo, 'commit', '-qm', 'submodule');
      await makeRepository(`${repo}/nested`, { 'in-nested': '1' });
      for (const at of [repo, `${repo}/nested`, `${repo}/sub`]) {
        const keys = [
          'core.fsmonitor',
          'filter.evil.clean',
          'filter.evil.smudge',
          'filter.evil.process',
          'diff.evil.textconv',
          'diff.external',
        ];
        for (const key of [
          ...keys,
          'core.sshCommand',
          'core.pager',
          'alias.ls-files',
          'uploadpack.packObjectsHook',
          'core.alternateRefsCommand',
        ]) {
          await userGit(at, 'config', key, evil);
        }
        await userGit(at, 'config', 'core.hooksPath', `${dir}/hooks`);
        await userGit(at, 'config', 'extensions.partialClone', 'origin');
        await userGit(at, 'config', 'remote.origin.promisor', 'true');
        await userGit(at, 'config', 'remote.origin.url', `ext::${evil}`);
        await userGit(at, 'config', 'remote.origin.uploadpack', evil);
      }
      for (const hook of [
        'post-index-change',
        'post-checkout',
        'reference-transaction',
        'pre-commit',
        'post-rewrite',
        'fsmonitor-watchman',
      ]) {
        await mkdir(`${dir}/hooks`, { recursive: true });
        await copyFile(evil, `${dir}/hooks/${hook}`);
      }
      await writeFiles(repo, {
        '.gitattributes': '* filter=evil diff=evil text eol=crlf\n',
        'src/a.ts': 'changed\n',
        'sub/in-sub': 'changed',
      });
      const found = await importSource(store, { location: repo });
      assert.deepEqual(await paths(store, found.snapshot), [
        '.gitattributes',
        '.gitignore',
        '.gitmodules',
        'nested/in-nested',
        'run.sh',
        'src/a.ts',
        'sub/in-sub',
      ]);
      assert.equal((await store.read(found.snapshot, 'src/a.ts'))?.toString(), 'changed\n');
      await importSource(store, { location: repo, ref: 'main' });
      await importSource(store, { location: `file://${repo}`, ref: 'main~1' });
      await assert.rejects(importSource(store, { location: repo, ref: '1'.repeat(40) }), {
        code: 'source.ref-not-found',
      });
      assert.equal(await readFile(proof, 'utf8').catch(() => 'nothing ran'), 'nothing ran');
      await userGit(repo, 'status').catch(() => undefined);
      assert.match(await readFile(proof, 'utf8'), /evil\.sh/, 'the trap works on a git without protection');
    }));

  it('works on a repository without commits, on worktrees, split indexes and large ones', () =>
    withRepository(async ({ dir, repo, head, store }) => {
      await userGit(dir, 'init', '-q', 'fresh');
      assert.deepEqual(
        await importSource(store, { location: `${dir}/fresh` }).then(({ commit, dirty }) => [commit, dirty]),
        [null, false],
      );
      await writeFiles(`${dir}/fresh`, { first: '1' });
      assert.deepEqual(
        await importSource(store, { location: `${dir}/fresh` }).then(({ commit, dirty }) => [commit, dirty]),
        [null, true],
      );
      await userGit(repo, 'worktree', 'add', '-q', '--detach', `${dir}/linked`);
      await writeFiles(`${dir}/linked`, { 'src/a.ts': 'in the worktree' });
      const linked = await importSource(store, { location: `${dir}/linked` });
      assert.deepEqual([linked.commit, linked.dirty], [head, true]);
      await userGit(repo, 'update-index', '--split-index');
      const split = await importSource(store, { location: repo });
      assert.deepEqual([split.dirty, (await paths(store, split.snapshot)).length], [false, 3]);
    }));

  it('refuses a sparse checkout, which would lose files', () =>
    withRepository(async ({ repo, store }) => {
      await userGit(repo, 'sparse-checkout', 'set', '--no-cone', '/run.sh');
      await assert.rejects(importSource(store, { location: repo }), {
        code: 'source.unreadable',
        message: /sparse checkout, \.gitignore is not in it/,
      });
      assert.equal(
        (await paths(store, (await importSource(store, { location: repo, ref: 'HEAD' })).snapshot)).length,
        3,
      );
    }));

  it('says what is no repository', () =>
    withRepository(async ({ dir, repo, store }) => {
      await writeFiles(dir, { 'folder/file': '1' });
      await writeFiles(dir, { 'broken/.git': 'gitdir: /nowhere\n' });
      const cases: [string, RegExp][] = [
        [`${dir}/missing`, /missing does not exist/],
        [`${dir}/folder`, /is no git repository: run "git init" there/],
        [`${dir}/folder/file`, /is a file/],
        [`${repo}/src`, /it is inside the repository .*\/repo; give that path/],
        [`${dir}/broken`, /is no repository git can open: .*nowhere/],
      ];
      for (const [location, message] of cases) {
        await assert.rejects(importSource(store, { location }), { code: 'source.not-a-repository', message });
      }
      await userGit(dir, 'init', '-q', '--object-format=sha256', 'newer');
      await assert.rejects(importSource(store, { location: `${dir}/newer` }), {
        code: 'source.unreadable',
        message: /sha256/,
      });
    }));
});

describe('importing a commit', () => {
  it('takes a branch, a tag or an id, not the working tree', () =>
    withRepository(async ({ dir, repo, head, store }) => {
      await userGit(repo, 'tag', '-a', '-m', 'tag', 'v1');
      await writeFiles(repo, { 'src/a.ts': 'later\n', extra: 'e' });
      await userGit(repo, 'commit', '-qam', 'later');
      for (const ref of ['v1', head, head.slice(0, 8), 'main~1', 'HEAD^']) {
        const found = await importSource(store, { location: repo, ref });
        assert.deepEqual([found.commit, found.dirty], [head, false]);
        assert.equal((await store.read(found.snapshot, 'src/a.ts'))?.toString(), 'a\n');
        await (await openStore(`${dir}/store`)).verify(found.snapshot);
      }
      await userGit(dir, 'clone', '-q', '--bare', repo, 'bare');
      assert.equal(
        (await importSource(store, { location: `${dir}/bare` })).commit,
        await userGit(repo, 'rev-parse', 'HEAD'),
      );
    }));

  it('says which refs there are, and refuses what is none', () =>
    withRepository(async ({ repo, store }) => {
      await assert.rejects(importSource(store, { location: repo, ref: 'nope' }), {
        code: 'source.ref-not-found',
        message: /no branch, tag or commit nope in .*repo: it has main/,
      });
      for (const ref of ['-q', '--all', '--output=/tmp/x', 'a b', 'main..main', 'main\n', '']) {
        await assert.rejects(importSource(store, { location: repo, ref }), { code: 'source.ref-not-found' }, ref);
      }
    }));

  it('makes a submodule an empty folder, and says so', () =>
    withRepository(async ({ dir, repo, store }) => {
      await makeRepository(`${dir}/sub`, { 'in-sub': '1' });
      await userGit(repo, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', `${dir}/sub`, 'deps/sub');
      await userGit(repo, 'commit', '-qm', 'submodule');
      const lines: string[] = [];
      const found = await importSource(
        store,
        { location: repo, ref: 'main' },
        { onProgress: (line) => lines.push(line) },
      );
      assert.deepEqual((await store.contents(found.snapshot)).emptyFolders, ['deps/sub']);
      assert.match(lines.join('\n'), /the submodule deps\/sub is left out/);
      const whole = await importSource(store, { location: repo });
      assert.deepEqual([whole.dirty, (await store.read(whole.snapshot, 'deps/sub/in-sub'))?.toString()], [false, '1']);
    }));
});

describe('importing from a URL', () => {
  it('fetches one commit where the server can send one', () =>
    withRepository(async ({ repo, head, store, dir }) => {
      await writeFiles(repo, { 'src/a.ts': 'second\n' });
      await userGit(repo, 'commit', '-qam', 'second');
      await userGit(repo, 'branch', 'side', head);
      await withSmartServer(dir, async (base) => {
        const tip = await userGit(repo, 'rev-parse', 'main');
        const lines: string[] = [];
        const found = await importSource(
          store,
          { location: `${base}/repo` },
          { onProgress: (line) => lines.push(line) },
        );
        assert.deepEqual(found, { snapshot: found.snapshot, commit: tip, dirty: false });
        assert.equal((await store.read(found.snapshot, 'src/a.ts'))?.toString(), 'second\n');
        await assert.rejects(
          userGit(dir, '--git-dir', store.dir, 'cat-file', '-e', head),
          'the commit before was not sent',
        );
        assert.equal((await importSource(store, { location: `${base}/repo`, ref: 'side' })).commit, head);
        assert.equal((await importSource(store, { location: `${base}/repo`, ref: head.slice(0, 10) })).commit, head);
        await assert.rejects(importSource(store, { location: `${base}/repo`, ref: 'nope' }), {
          code: 'source.ref-not-found',
          message: /it has main, side/,
        });
        await assert.rejects(importSource(store, { location: `${base}/missing` }), { code: 'source.unreachable' });
      });
    }));

  it('fetches everything where it cannot', () =>
    withRepository(async ({ dir, repo, head, store }) => {
      await userGit(dir, 'clone', '-q', '--bare', repo, 'plain.git');
      await userGit(`${dir}/plain.git`, 'update-server-info');
      await withFileServer(dir, async (base) => {
        const found = await importSource(store, { location: `${base}/plain.git`, ref: 'main' });
        assert.equal(found.commit, head);
        await store.verify(found.snapshot);
      });
    }));

  it('says why an address cannot be reached, without the password in it', () =>
    withRepository(async ({ store }) => {
      await assert.rejects(
        importSource(store, { location: 'http://user:geheim@127.0.0.1:1/x.git' }),
        (error: Error & { code: string }) => {
          assert.equal(error.code, 'source.unreachable');
          assert.match(error.message, /Failed to connect|refused/i);
          assert.doesNotMatch(error.message, /geheim/);
          return true;
        },
      );
      for (const location of [
        'ext::sh -c touch% /tmp/x',
        'fd::7',
        'ftp://host/x',
        'https://-oProxyCommand=x/y\n',
        'persistent-https::x',
      ]) {
        await assert.rejects(importSource(store, { location }), { code: 'source.unreachable' }, location);
      }
      await assert.rejects(importSource(store, { location: 'ssh://-oProxyCommand=touch/x' }), {
        code: 'source.unreachable',
      });
    }));
});

describe('a project id', () => {
  it('is readable, and the same for every spelling of a path', () =>
    withTempDir(async (dir) => {
      await mkdir(`${dir}/My Project.git`);
      await symlink(`${dir}/My Project.git`, `${dir}/link`);
      const id = (location: string): string => projectIdFor({ location });
      assert.match(id(`${dir}/My Project.git`), /^my-project-[0-9a-f]{10}$/);
      assert.equal(id(`${dir}/link/`), id(`${dir}/My Project.git`));
      assert.equal(id('https://me:old@host/a/b.git'), id('https://me:new@host/a/b'));
      assert.notEqual(id('https://host/a/b'), id('https://host/c/b'));
      assert.match(id('git@host:team/repo.git'), /^repo-[0-9a-f]{10}$/);
      assert.match(id(`${dir}/${'ÜÜ'.repeat(80)}`), /^project-[0-9a-f]{10}$/);
    }));
});

/** Serves the repositories below `root` by git's own smart protocol. */
async function withSmartServer(root: string, use: (base: string) => Promise<void>): Promise<void> {
  const server = createServer((request, response) => {
    const url = new URL(request.url!, 'http://localhost');
    const env = {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_PROTOCOL: request.headers['git-protocol'] as string | undefined,
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'safe.directory',
      GIT_CONFIG_VALUE_0: '*',
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'],
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'],
    };
    const backend = spawn('git', ['http-backend'], { env });
    request.pipe(backend.stdin);
    const chunks: Buffer[] = [];
    backend.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    backend.on('close', () => {
      const output = Buffer.concat(chunks);
      const end = output.indexOf('\r\n\r\n');
      for (const line of output.toString('latin1', 0, end).split('\r\n')) {
        const [name, value] = line.split(': ');
        if (name === 'Status') response.statusCode = Number(value!.slice(0, 3));
        else response.setHeader(name!, value!);
      }
      response.end(output.subarray(end + 4));
    });
  });
  await listening(server, use);
}

/** Serves the files below `root`, as a web server that knows nothing of git does. */
async function withFileServer(root: string, use: (base: string) => Promise<void>): Promise<void> {
  const server = createServer((request, response) => {
    readFile(`${root}${new URL(request.url!, 'http://localhost').pathname}`).then(
      (content) => response.end(content),
      () => response.writeHead(404).end(),
    );
  });
  await listening(server, use);
}

async function listening(server: ReturnType<typeof createServer>, use: (base: string) => Promise<void>): Promise<void> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

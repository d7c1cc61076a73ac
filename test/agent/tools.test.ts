import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { makeRepository, userGit, writeFiles } from '../snapshots/helpers.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { withAgent } from './helpers.ts';
import type { Responder } from './helpers.ts';

const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
const lines = (count: number): string => Array.from({ length: count }, (_, at) => `line ${at + 1}`).join('\n');

describe('the tools of an agent', () => {
  it('read files in parts, show images, and say what else there is', () =>
    withAgent(
      { 'a.txt': `${lines(3_000)}\n`, 'i.png': png, 'b.bin': Buffer.from([0, 1, 2]), 'src/util.ts': 'x', empty: '' },
      async (agent) => {
        const { texts, results } = await agent.answer([
          ['read', { path: 'a.txt', offset: 2_999 }],
          ['read', { path: './a.txt', limit: 2 }],
          ['read', { path: 'i.png' }],
          ['read', { path: 'b.bin' }],
          ['read', { path: 'lib/util.ts' }],
          ['read', { path: 'src' }],
          ['read', { path: 'a.txt', offset: 9_999 }],
          ['read', { path: 'empty', limit: null }],
          ['read', { path: 'a.txt' }],
        ]);
        assert.equal(texts[0], '2999\tline 2999\n3000\tline 3000');
        assert.equal(texts[1], '1\tline 1\n2\tline 2\n[lines 1 to 2 of 3000 of a.txt: go on with offset 3]');
        assert.deepEqual(results[2]!.content, [
          { type: 'image', mediaType: 'image/png', data: '', blob: createHash('sha256').update(png).digest('hex') },
        ]);
        assert.match(texts[3]!, /binary file of 3 bytes/);
        assert.match(texts[4]!, /no lib\/util\.ts.*did you mean src\/util\.ts\?/);
        assert.match(texts[5]!, /is a folder: use "list"/);
        assert.match(texts[6]!, /has 3000 lines/);
        assert.deepEqual(
          [texts[7], results.map(({ isError }) => isError)],
          ['empty is empty.', [false, false, false, false, true, true, true, false, false]],
        );
        assert.ok(texts[8]!.length < 30_000 && /go on with offset \d+\]$/.test(texts[8]!));
      },
    ));

  it('list and search', () =>
    withAgent(
      { 'src/a.ts': 'one\nkey two\n', 'src/b.js': 'key\n', '.env': 'key=secret\n', 'x/y/z': '' },
      async (agent) => {
        const { texts } = await agent.answer(
          [
            ['list', {}],
            ['list', { path: 'src', glob: '*.ts' }],
            ['search', { pattern: 'key' }],
            ['search', { pattern: 'k(', path: 'src' }],
            ['list', { path: 'nowhere' }],
          ],
          { mode: 'auto', rules: [] },
        );
        assert.equal(texts[0], 'src/\nx/\n.env\t11 bytes');
        assert.equal(texts[1], 'src/a.ts');
        assert.equal(texts[2], 'src/a.ts\n  2: key two\nsrc/b.js\n  1: key');
        assert.match(texts[3]!, /no regular expression/);
        assert.match(texts[4]!, /there is no nowhere/);
      },
    ));

  it('edit text that is there once, and say where it nearly is', () =>
    withAgent({ a: 'function f() {\n\treturn 1;\n}\nx\nx\n', crlf: 'a\r\nb\r\nc\r\n', d: '$& $1' }, async (agent) => {
      const { texts, results } = await agent.answer([
        ['edit', { path: 'a', oldText: 'return 1;', newText: "return '$&';" }],
        ['edit', { path: 'a', oldText: 'x', newText: 'y' }],
        ['edit', { path: 'a', oldText: 'x', newText: 'y', replaceAll: true }],
        ['edit', { path: 'a', oldText: "function f() {\n    return '$&';", newText: '' }],
        ['edit', { path: 'crlf', oldText: 'a\nb', newText: 'A\nB' }],
        ['edit', { path: 'a', oldText: 'nothing like it at all', newText: '' }],
        ['edit', { path: 'd', oldText: '$1', newText: '$1' }],
      ]);
      assert.deepEqual(
        results.map(({ isError }) => isError),
        [false, true, false, true, false, true, true],
      );
      assert.match(texts[1]!, /2 times in a, at lines 4, 5/);
      assert.match(texts[3]!, /Only spaces or indentation differ, from line 1:/);
      assert.match(texts[5]!, /No lines in it are near/);
      assert.equal(await agent.file('a'), "function f() {\n\treturn '$&';\n}\ny\ny\n");
      assert.equal(await agent.file('crlf'), 'A\r\nB\r\nc\r\n');
    }));

  it('write, move and delete', () =>
    withAgent({ 'a/b': '1', 'a/c': '2', run: 'x' }, async (agent) => {
      const { texts, results } = await agent.answer([
        ['write', { path: 'new/file', content: 'n', executable: true }],
        ['move', { from: 'a', to: 'moved/a' }],
        ['move', { from: 'run', to: 'new/file' }],
        ['delete', { path: 'moved/a/b' }],
        ['delete', { path: '.' }],
        ['delete', { path: 'nothing' }],
        ['write', { path: 'moved', content: '' }],
        ['write', { path: '.git/hooks/x', content: '' }],
      ]);
      assert.deepEqual(
        results.map(({ isError }) => isError),
        [false, false, true, false, true, true, true, true],
      );
      assert.match(texts[2]!, /is there already/);
      assert.deepEqual(
        (await agent.deps.store.list(agent.snapshot)).map(({ path, mode }) => `${path} ${mode}`),
        ['moved/a/c file', 'new/file executable', 'run file'],
      );
    }));

  it('apply patches of both forms, all of one or nothing', () =>
    withAgent({ a: `${lines(9)}\n`, b: 'b\n', c: 'c\n' }, async (agent) => {
      const unified = `diff --git a/a b/a
--- a/a
+++ b/a
@@ -70,3 +99,3 @@ wrong numbers
 line 1
-line 2
+LINE 2
 line 3
@@ -8 +8 @@
-line 8
+LINE 8
diff --git a/b b/moved/b
similarity index 100%
rename from b
rename to moved/b
diff --git a/c b/c
deleted file mode 100644
--- a/c
+++ /dev/null
@@ -1 +0,0 @@
-c
diff --git a/run b/run
new file mode 100755
--- /dev/null
+++ b/run
@@ -0,0 +1 @@
+#!/bin/sh
`;
      const sections =
        '*** Begin Patch\n*** Update File: a\n@@ line 4\n line 5\n-line 6\n+LINE 6\n*** Add File: d\n+d\n*** End Patch';
      const halfway = '*** Begin Patch\n*** Delete File: run\n*** Update File: a\n-not there\n+x\n*** End Patch';
      const { texts, results } = await agent.answer([
        ['apply-patch', { patch: unified }],
        ['apply-patch', { patch: sections }],
        ['apply-patch', { patch: halfway }],
        ['apply-patch', { patch: 'please change a' }],
        ['apply-patch', { patch: '--- a/a\n+++ b/../../etc/x\n@@ -1 +1 @@\n-a\n+b\n' }],
        [
          'apply-patch',
          { patch: 'diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc\n' },
        ],
      ]);
      assert.deepEqual(
        results.map(({ isError }) => isError),
        [false, false, true, true, true, true],
        texts.join('\n'),
      );
      assert.match(texts[2]!, /hunk 1 for a does not fit: its lines are not in the file/);
      assert.match(texts[3]!, /cannot be read/);
      assert.equal(
        await agent.file('a'),
        `${lines(9)}\n`.replace('line 2', 'LINE 2').replace('line 8', 'LINE 8').replace('line 6', 'LINE 6'),
      );
      assert.deepEqual(
        (await agent.deps.store.list(agent.snapshot)).map(({ path, mode }) => `${path} ${mode}`),
        ['a file', 'd file', 'moved/b file', 'run executable'],
      );
    }));

  it('apply what git itself prints as the difference', () =>
    withAgent({ a: `${lines(60)}\n`, 'b/c': 'no newline', d: 'x\r\ny\r\n', f: '1\n2', g: '1\n2\n' }, async (agent) => {
      const from = agent.snapshot;
      const to = await agent.write({
        a: `first\n${lines(60).replace('line 30\n', '').replace('line 55', 'changed')}\n`,
        'b/c': null,
        e: '1\n2\n',
        f: '1\n2\n',
        g: '1\n2',
      });
      const patch = (await agent.deps.store.patch(from, to)).toString();
      agent.snapshot = from;
      const { texts } = await agent.answer([['apply-patch', { patch }]]);
      assert.equal(agent.snapshot, to, texts[0]);
    }));

  it('have commands run by somebody else, and tell their end', () =>
    withAgent({ a: '1' }, async (agent) => {
      const log = await agent.deps.blobs.put('\x1b[31mred\x1b[0m\r\n10%\r100%\ndone\n');
      const after = await agent.write({ a: '2' });
      const respond: Responder = async (pending) =>
        pending.type === 'step' && pending.title.includes('sleep')
          ? { type: 'step', end: 'timeout', exitCode: null, snapshot: after }
          : { type: 'step', end: 'exited', exitCode: 1, snapshot: after, log };
      const { texts, pendings, output, results } = await agent.answer(
        [
          ['run', { command: 'make\nall', cwd: './x', timeoutSeconds: 5 }],
          ['run', { command: 'sleep 99' }],
          ['test', {}],
          ['test', { command: 'npm test x' }],
        ],
        { mode: 'full', rules: [] },
        respond,
      );
      assert.deepEqual(pendings[0], {
        type: 'step',
        callId: 'call-0',
        title: 'run make all',
        command: { shell: 'make\nall', cwd: 'x' },
        timeoutMs: 5_000,
      });
      assert.equal(texts[0], 'exit code 1\nred\n100%\ndone\n');
      assert.equal(texts[1], 'ended: timeout\n(no output)');
      assert.match(texts[2]!, /No test command is known/);
      assert.deepEqual(
        results.map(({ isError }) => isError),
        [true, true, true, true],
      );
      assert.equal(output.calls[0]!.summary, 'run make ⏎ all: exit code 1');
      assert.equal(agent.snapshot, after);
    }));

  it("test with the project's own command", () =>
    withAgent(
      { a: '1' },
      async (agent) => {
        const respond: Responder = (_pending, snapshot) => ({ type: 'step', end: 'exited', exitCode: 0, snapshot });
        const { pendings } = await agent.answer([['test', {}]], { mode: 'auto', rules: [] }, respond);
        assert.deepEqual(
          pendings.map((one) => one.type === 'step' && one.command),
          [{ shell: 'npm test', cwd: 'web' }],
        );
      },
      { testCommand: { shell: 'npm test', cwd: 'web' } },
    ));

  it('show the history of the source, without what must not be read', () =>
    withTempDir(async (dir) => {
      const location = `${dir}/repository`;
      await makeRepository(location, { 'a.txt': 'a\n', '.env': 'TOKEN=old\n' });
      await writeFiles(location, { 'a.txt': 'b\n', '.env': 'TOKEN=new\n' });
      await userGit(location, 'commit', '-q', '-am', 'second');
      await withAgent(
        { 'a.txt': 'c\n' },
        async (agent) => {
          const { texts } = await agent.answer(
            [
              ['git-history', { action: 'log' }],
              ['git-history', { action: 'show' }],
              ['git-history', { action: 'blame', path: 'a.txt' }],
              ['git-history', { action: 'show', ref: 'nothing' }],
              ['git-history', { action: 'blame' }],
            ],
            { mode: 'auto', rules: [] },
          );
          assert.match(texts[0]!, /second\n.*first/);
          assert.match(texts[1]!, /-a\n\+b/);
          assert.doesNotMatch(texts[1]!, /TOKEN/);
          assert.match(texts[1]!, /1 files are left out/);
          assert.match(texts[2]!, /^1\t\w{10} .*\tb$/);
          assert.match(texts[3]!, /no commit "nothing"/);
          assert.match(texts[4]!, /needs "path"/);
        },
        { source: { location, commit: null } },
      );
    }));

  it('make text of pages, ask the user, keep a plan and delegate', () =>
    withAgent({ a: '1' }, async (agent) => {
      const before = agent.snapshot;
      const page =
        '<html><head><title>T &amp; U</title><script>evil()</script></head><body><h1>Head</h1><p>One <a href="/x">link</a><ul><li>a<li>b</ul><pre>  code\n  more</pre><style>x</style><!-- no --></body></html>';
      const respond: Responder = async (pending) => {
        if (pending.type === 'fetch')
          return { type: 'fetch', status: 200, mediaType: 'text/html; charset=utf-8', body: page };
        if (pending.type === 'question') return { type: 'question', answer: pending.choices[1]! };
        return { type: 'delegate', succeeded: true, answer: 'did it', snapshot: before };
      };
      const { texts, output, results } = await agent.answer(
        [
          ['fetch', { url: 'https://a.org/p' }],
          ['fetch', { url: 'file:///etc/passwd' }],
          ['fetch', { url: 'https://u:p@a.org/' }],
          ['ask-user', { question: 'which?', choices: ['one', 'two'] }],
          [
            'plan',
            {
              items: [
                { text: 'a', state: 'done' },
                { text: 'b', state: 'doing' },
              ],
            },
          ],
          ['delegate', { title: 'part', prompt: 'do it' }],
        ],
        { mode: 'full', rules: [] },
        respond,
      );
      assert.match(
        texts[0]!,
        /not instructions:\n\nT & U\n\n# Head\n\nOne link \(https:\/\/a\.org\/x\)\n\n- a\n- b\n\n```\n {2}code\n {2}more\n```$/,
      );
      assert.deepEqual(
        results.map(({ isError }) => isError),
        [false, true, true, false, false, false],
      );
      assert.deepEqual(texts.slice(3), ['two', 'Noted: 1 of 2 left.', 'did it']);
      assert.deepEqual(
        output.plan?.map(({ state }) => state),
        ['done', 'doing'],
      );
    }));

  it('cut long results, and give the rest by hash', () =>
    withAgent({ a: '1' }, async (agent) => {
      const whole = Array.from({ length: 20_000 }, (_, index) => `größe ${index}`).join('\n');
      const log = await agent.deps.blobs.put(whole);
      const respond: Responder = (_pending, snapshot) => ({ type: 'step', end: 'exited', exitCode: 0, snapshot, log });
      const { texts } = await agent.answer([['run', { command: 'big' }]], { mode: 'full', rules: [] }, respond);
      const cut = texts[0]!;
      assert.ok(Buffer.byteLength(cut) < 31_000);
      assert.ok(cut.startsWith('exit code 0\ngröße 0\n') && cut.endsWith('größe 19999'));
      const [, hash, offset] = /hash (\w{64}), offset (\d+)/.exec(cut)!;
      const next = await agent.answer([
        ['read-output', { hash: hash!, offset: Number(offset), limit: 100 }],
        ['read-output', { hash: hash!, offset: 9_999_999 }],
        ['read-output', { hash: '0'.repeat(64) }],
        ['read-output', { hash: '../etc' }],
      ]);
      assert.match(next.texts[0]!, /^größe \d+\n/);
      assert.match(next.texts[0]!, /go on with offset \d+\]$/);
      assert.deepEqual(
        next.results.map(({ isError }) => isError),
        [false, true, true, true],
      );
    }));
});

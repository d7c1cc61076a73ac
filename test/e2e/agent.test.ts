import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { modes } from '../../contracts/job.ts';
import { npmPackage } from '../support/projects.ts';
import { type ModelMove, withScriptedModel } from '../support/scripted-model.ts';
import { type Stack, startStack } from '../support/stack.ts';

const run = promisify(execFile);
const canary = 'sk-canary-0123456789abcdefghijklmnop';

/** Implements `queue.size()` in fastq: without the test that its coverage limit wants, and with a slip that its linter finds. */
function implementSize(asked: { prompt: string; answers: number; results: string[] }): ModelMove {
  const { prompt, answers } = asked;
  if (prompt.includes('Do not change anything yet')) {
    if (answers === 0)
      return [
        { tool: 'read', args: { path: 'queue.js' } },
        { tool: 'list', args: { path: 'test' } },
      ];
    return 'Add `size()` beside `length()` in queue.js, the sum of what waits and what runs, and a test for it.';
  }
  if (prompt.includes('implement the plan')) {
    if (answers === 0)
      return [
        {
          tool: 'edit',
          args: { path: 'queue.js', oldText: '    length: length,', newText: '    length: length,\n    size: size,' },
        },
        {
          tool: 'edit',
          args: {
            path: 'queue.js',
            oldText: '  function pause () {',
            newText: '  function size () {\n    return _runing + length()\n  }\n\n  function pause () {',
          },
        },
      ];
    return 'Added `size()`.';
  }
  if (prompt.includes('Write the missing tests')) {
    assert.match(prompt, /- queue\.js\n/, 'what changed without a test is named');
    if (answers === 0)
      return [
        {
          tool: 'edit',
          args: { path: 'test/test.js', oldText: "test('paused flag', function (t) {", newText: sizeTest },
        },
      ];
    return 'Wrote a test.';
  }
  if (prompt.includes("project's tests failed")) {
    assert.match(prompt, /_runing/, 'the failure is quoted to the model');
    if (answers === 0) return [{ tool: 'search', args: { pattern: '_runing' } }];
    if (answers === 1) return [{ tool: 'edit', args: { path: 'queue.js', oldText: '_runing', newText: '_running' } }];
    if (answers === 2) return [{ tool: 'run', args: { command: 'npx tape test/test.js | tail -5' } }];
    assert.match(asked.results.at(-1)!, /# pass/, 'the command ran on the changed files');
    return 'The name was misspelt; mended.';
  }
  assert.match(prompt, /as its reviewer/);
  return 'Nothing is worth changing.';
}

const sizeTest = `test('size', function (t) {
  t.plan(3)

  var queue = buildQueue(function (arg, cb) {
    setImmediate(cb)
  }, 1)
  t.equal(queue.size(), 0)
  queue.push(1, function () {})
  queue.push(2, function () {})
  t.equal(queue.size(), 2)
  queue.drain = function () {
    t.equal(queue.size(), 0)
  }
})

test('paused flag', function (t) {`;

describe('a job with a model', function () {
  this.timeout(300_000);

  it('implements a change in a real package through all modes, and repairs its own failure', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'helix-agent-'));
    let stack: Stack | undefined;
    try {
      const repository = await npmPackage(join(dir, 'fastq'), 'fastq@1.19.1');
      await withScriptedModel(implementSize, async (model) => {
        stack = await startStack({ ANTHROPIC_API_KEY: canary, ANTHROPIC_BASE_URL: model.url });
        const goal = 'Add a method size() to the queue: how many tasks wait or run';
        const { code, result, events, stderr } = await stack.run([goal, '--repo', repository]);
        assert.equal(code, 0, JSON.stringify(result.reason) + stderr);
        assert.deepEqual(
          modes.map((mode) => result.phases[mode]?.status),
          modes.map(() => 'succeeded'),
        );
        assert.equal(result.tests.failed, 0);
        assert.equal(result.spending!.calls, model.calls());
        assert.ok(result.spending!.usd > 0);
        const { stdout: diff } = await run('git', ['-C', repository, 'diff', `main..${result.branch!}`]);
        assert.match(diff, /\+ {4}return _running \+ length\(\)/);
        assert.match(diff, /\+test\('size'/);
        const kinds = (events as { type?: string }[]).map((event) => event.type);
        for (const kind of ['model.answered', 'tool.called']) assert.ok(kinds.includes(kind), kind);
        const explained = await fetchArtifact(stack, result.jobId, 'failures.md');
        assert.match(explained, /The name was misspelt/);
        const plan = await stack.helix(['show', result.jobId]);
        assert.equal(plan.code, 0);
        await assertNowhere(canary, stack.home);
        assert.ok(!JSON.stringify(events).includes(canary));
      });
    } finally {
      await stack?.down();
      await rm(dir, { recursive: true, force: true });
    }
  });
});

async function fetchArtifact(stack: Stack, jobId: string, name: string): Promise<string> {
  return (await (await stack.client()).readArtifact(jobId, name)).toString();
}

/** Looks through every file that the stack has written: records, histories, logs, blobs. */
async function assertNowhere(secret: string, folder: string): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const content = await readFile(path).catch(() => Buffer.alloc(0));
    assert.ok(!content.includes(secret), `the key stands in ${path}`);
  }
}

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeRepository } from '../support/projects.ts';
import { type Stack, startStack } from '../support/stack.ts';

const withTest = (test: string): Record<string, string> => ({
  'package.json': JSON.stringify({ name: 'odd', version: '1.0.0', private: true, scripts: { test } }, null, 2),
});

describe('what bad input gets', () => {
  let stack: Stack;
  let dir: string;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'helix-bad-'));
    stack = await startStack({
      HELIX_STEP_TIMEOUT_MS: '6000',
      HELIX_STEP_NODE_WAIT_MS: '3000',
      HELIX_STEP_LOG_LIMIT_BYTES: String(4 * 1024 * 1024),
    });
  });

  after(async () => {
    await stack?.down();
    await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  });

  const refused = async (code: number, message: RegExp, ...args: string[]): Promise<void> => {
    const output = await stack.helix(['run', ...args]);
    assert.equal(output.code, code, output.stdout + output.stderr);
    assert.match(output.stdout + output.stderr, message);
  };
  const fails = async (files: Record<string, string>, message: RegExp, ...args: string[]): Promise<void> => {
    const repository = await makeRepository(await mkdtemp(join(dir, 'repository-')), files);
    const { code, result } = await stack.run(['--repo', repository, ...args]);
    assert.equal(code, 1, JSON.stringify(result));
    assert.equal(result.status, 'failed');
    assert.match(`${result.reason?.message}`, message);
    assert.ok(result.checkpoints.length > 0, 'what there was is still there');
  };

  it('a path that is no repository, or is not there', async () => {
    await mkdir(join(dir, 'empty'));
    await refused(2, /is not in a git repository/, '--repo', join(dir, 'empty'));
    await refused(2, /does not exist|no such/i, '--repo', join(dir, 'nowhere'));
  });

  it('a ref that the repository does not have', async () => {
    const repository = await makeRepository(join(dir, 'ref'), { 'a.txt': 'a' });
    await refused(2, /no-such-branch/, '--repo', repository, '--ref', 'no-such-branch');
  });

  it('an address that cannot be reached', async () => {
    await refused(1, /127\.0\.0\.1:9/, '--repo', 'http://127.0.0.1:9/none.git');
  });

  it('an unknown recipe, mode or option, with what is allowed', async () => {
    const repository = await makeRepository(join(dir, 'usage'), { 'a.txt': 'a' });
    await refused(2, /unknown recipe "shake".*rename-symbol/s, '--repo', repository, '--recipe', 'shake:it');
    await refused(2, /cooking.*planning/s, '--repo', repository, '--modes', 'cooking');
    await refused(2, /--nonsense/, '--repo', repository, '--nonsense');
    await refused(2, /1X/, '--repo', repository, '--env', '1X=2');
  });

  it('a repository with nothing to build or test', async () => {
    await fails({ 'notes.txt': 'nothing here\n' }, /nothing to build or test/);
  });

  it('a test command that hangs', async () => {
    await fails(withTest('echo started; sleep 600'), /test:odd ran into its time limit/);
  });

  it('a test command that prints without end', async () => {
    await fails(withTest('yes 0123456789012345678901234567890123456789'), /test:odd printed more than the log limit/);
  });

  it('a test command that forks and exits', async () => {
    const repository = await makeRepository(join(dir, 'forks'), withTest('setsid sleep 600 & echo done'));
    const { code, result } = await stack.run(['--repo', repository]);
    assert.equal(code, 0);
    assert.ok(result.durationMs < 60_000);
  });

  it('a class that no node serves: said at once, and an end after the limit', async () => {
    const repository = await makeRepository(join(dir, 'class'), withTest('true'));
    const { code, result, events } = await stack.run(['--repo', repository, '--node-class', 'quantum']);
    assert.equal(code, 1);
    assert.match(result.reason!.message, /no healthy node serves .*quantum.*local lacks quantum/s);
    assert.ok(events.some((event) => (event as { type: string }).type === 'step.waiting'));
  });

  it('a test command that changes and deletes files', async () => {
    const repository = await makeRepository(join(dir, 'vandal'), {
      ...withTest('rm -rf src; echo changed > package.json; mkdir made; echo x > made/x'),
      'src/a.txt': 'a',
    });
    const { code, result } = await stack.run(['--repo', repository]);
    assert.equal(code, 0);
    assert.equal(result.snapshot, result.checkpoints[0]!.snapshot, 'a test changes nothing of the result');
  });
});

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { markedProcesses, markerName, markPids, startedBetween } from '../../fleet/agent/process-tree.ts';

describe('processes of an execution', () => {
  const folder = `/tmp/helix-no-such-execution-${process.pid}`;
  const run = `${folder}/run-command.0`;
  const children: ChildProcess[] = [];

  async function startMarked(): Promise<number> {
    const child = spawn('sleep', ['60'], { env: { ...process.env, [markerName]: run }, stdio: 'ignore' });
    children.push(child);
    await once(child, 'spawn');
    return child.pid!;
  }

  after(() => children.forEach((child) => child.kill('SIGKILL')));

  it('are found by their mark, and those from before a moment are spared', async () => {
    const first = await startMarked();
    const moment = markPids();
    const second = await startMarked();
    assert.deepEqual(new Set(markedProcesses(folder, undefined)), new Set([first, second]));
    assert.deepEqual(markedProcesses(folder, undefined, moment), [second]);
    assert.deepEqual(new Set(markedProcesses(run, undefined)), new Set([first, second]));
    assert.deepEqual(markedProcesses(`${folder}-other`, undefined), []);
    assert.deepEqual(markedProcesses(run.slice(0, -1), undefined), []);
  });

  it('are found once, however many threads they have', async () => {
    const moment = markPids();
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000); console.log(1)'], {
      env: { ...process.env, [markerName]: `${folder}-threads` },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    children.push(child);
    await once(child.stdout, 'data');
    assert.deepEqual(markedProcesses(`${folder}-threads`, undefined, moment), [child.pid]);
    assert.deepEqual(markedProcesses(`${folder}-threads`, undefined), [child.pid]);
  });

  it('may have any id that was given out since, also when ids have come round', () => {
    const limit = 1000;
    const ids = [100, 101, 500, 900, 901];
    const later = (last: number, now: number, started = 10): number[] =>
      ids.filter(startedBetween({ last, started: 0 }, { last: now, started }, limit));
    assert.deepEqual(later(100, 500), [101, 500]);
    assert.deepEqual(later(900, 100), [100, 901]);
    assert.deepEqual(later(100, 100), []);
    assert.deepEqual(later(100, 100, 600), ids);
    assert.deepEqual(later(100, 100, NaN), ids);
  });
});

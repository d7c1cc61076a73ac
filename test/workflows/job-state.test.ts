import assert from 'node:assert/strict';
import { jobRequestSchema } from '../../contracts/job.ts';
import { JobState, WrongStateError } from '../../workflows/job-state.ts';

const snapshot = (digit: string): string => digit.repeat(40);

function state(request: Record<string, unknown> = {}): JobState {
  return new JobState({
    jobId: 'job-000000000001',
    project: 'sample-1',
    request: jobRequestSchema.parse({ source: { location: '/repo' }, ...request }),
  });
}

function withCheckpoints(): JobState {
  const job = state();
  job.recordCheckpoint({ phase: 'source', snapshot: snapshot('0'), title: 'Source' });
  job.recordCheckpoint({ phase: 'planning', snapshot: snapshot('0'), title: 'After planning' });
  job.recordCheckpoint({ phase: 'refactoring', snapshot: snapshot('1'), title: 'Rename' });
  return job;
}

describe('the state of a job', () => {
  it('takes every message twice with the effect of once', () => {
    const job = state({ approve: true });
    job.pause();
    job.pause();
    assert.equal(job.status, 'paused');
    job.resume();
    job.resume();
    assert.equal(job.status, 'running');
    job.approve();
    job.approve();
    assert.equal(job.decided, true);
  });

  it('waits for an approval until it is decided', () => {
    const job = state({ approve: true });
    job.awaitingApproval = true;
    assert.equal(job.status, 'waiting-for-approval');
    job.approve();
    assert.equal(job.status, 'running');
  });

  it('takes the first decision as final', () => {
    const approved = state({ approve: true });
    approved.approve();
    assert.throws(() => approved.reject('no'), WrongStateError);
    const rejected = state({ approve: true });
    rejected.reject('no');
    rejected.reject('no again');
    assert.equal(rejected.rejection, 'no');
    assert.throws(() => rejected.approve(), WrongStateError);
  });

  it('refuses a rejection of a job that asks for no approval', () => {
    assert.throws(() => state().reject('no'), /does not wait for an approval/);
  });

  it('refuses messages after the end and says which end it was', () => {
    const job = state();
    job.final = 'failed';
    assert.throws(() => job.pause(), /the job has ended \(failed\)/);
  });

  it('goes back to a checkpoint by recording it again, paused, with later phases open', () => {
    const job = withCheckpoints();
    job.phases.refactoring = {
      status: 'succeeded',
      summary: '',
      steps: { run: 1, cached: 0 },
      durationMs: 1,
      artifacts: {},
    };
    job.requestRollback('c1');
    assert.equal(job.takeRollback()?.id, 'c1');
    assert.equal(job.snapshot, snapshot('0'));
    assert.equal(job.checkpoints.length, 4, 'nothing is forgotten');
    assert.equal(job.status, 'paused');
    assert.deepEqual(job.phases, {});
    assert.equal(job.takeRollback(), null);
  });

  it('names the checkpoints there are when asked for one there is not', () => {
    assert.throws(() => withCheckpoints().requestRollback('c9'), /no checkpoint c9; the checkpoints are: c0, c1, c2/);
  });

  it('knows which modes come after a checkpoint', () => {
    const job = state({ modes: ['planning', 'testing'] });
    assert.deepEqual(job.modesAfter('source'), ['planning', 'testing']);
    assert.deepEqual(job.modesAfter('planning'), ['testing']);
    assert.deepEqual(job.modesAfter('testing'), []);
  });

  it('describes itself to someone who reads the Web UI alone', () => {
    const job = withCheckpoints();
    job.phase = 'testing';
    job.phases.building = {
      status: 'failed',
      summary: 'a | b',
      steps: { run: 2, cached: 1 },
      durationMs: 1,
      artifacts: {},
    };
    const page = job.describe();
    assert.match(page, /\*\*job-000000000001\*\* is \*\*running\*\* in \*testing\*/);
    assert.match(page, /\| building \| failed \| a \\\| b \| 2 \| 1 \|/);
    assert.doesNotMatch(page, /\| item \|/);
    job.updateItems([
      { id: 'a', title: 'The a', needs: [], state: 'waiting' },
      { id: 'b', title: 'The b', needs: ['a'], state: 'waiting' },
    ]);
    job.updateItems([{ id: 'a', title: 'The a', needs: [], state: 'merged' }]);
    assert.match(job.describe(), /\| a \| The a \| {2}\| merged \|\n\| b \| The b \| a \| waiting \|/);
    job.updateItems([{ id: 'c', title: 'Another plan', needs: [], state: 'waiting' }]);
    assert.deepEqual(
      job.items.map(({ id }) => id),
      ['c'],
    );
    assert.match(page, /\| c2 \| refactoring \| `111111111111` \| Rename \|/);
  });
});

import assert from 'node:assert/strict';
import type { PlannedTask, TaskOutcome } from '../../contracts/workflow.ts';
import { TaskGraph } from '../../workflows/task-graph.ts';

const task = (id: string, ...needs: string[]): PlannedTask => ({
  id,
  kind: 'build',
  title: id,
  command: { shell: 'true', cwd: '.' },
  env: {},
  layers: [],
  needs,
  outputs: [],
  tools: [],
  class: 'any',
});

const outcome = (taskId: string, succeeded: boolean, outputs?: string): TaskOutcome => ({
  taskId,
  kind: 'build',
  succeeded,
  end: 'exited',
  exitCode: succeeded ? 0 : 1,
  snapshot: 'a'.repeat(40),
  cached: false,
  ...(outputs ? { outputs } : {}),
});

const ids = (tasks: PlannedTask[]): string[] => tasks.map(({ id }) => id);

describe('the task graph', () => {
  it('gives out tasks once their needs have succeeded, each once', () => {
    const graph = new TaskGraph([task('a'), task('b', 'a'), task('c', 'a', 'b')], []);
    assert.deepEqual(ids(graph.takeReady()), ['a']);
    assert.deepEqual(graph.takeReady(), []);
    graph.outcomes.set('a', outcome('a', true));
    assert.deepEqual(ids(graph.takeReady()), ['b']);
    graph.outcomes.set('b', outcome('b', true));
    assert.deepEqual(ids(graph.takeReady()), ['c']);
  });

  it('names the failed need of each task that cannot run, down the chain', () => {
    const graph = new TaskGraph([task('a'), task('b', 'a'), task('c', 'b'), task('d')], []);
    graph.takeReady();
    graph.outcomes.set('a', outcome('a', false));
    assert.deepEqual(
      graph.takeBlocked().map(({ task: { id }, blocker }) => [id, blocker]),
      [['b', 'a']],
    );
    graph.outcomes.set('b', outcome('b', false));
    assert.deepEqual(
      graph.takeBlocked().map(({ task: { id }, blocker }) => [id, blocker]),
      [['c', 'b']],
    );
    assert.deepEqual(graph.takeReady(), []);
  });

  it('takes outcomes that are known already as done', () => {
    const graph = new TaskGraph([task('a'), task('b', 'a')], [outcome('a', true)]);
    assert.deepEqual(ids(graph.takeReady()), ['b']);
  });

  it('gives a task the outputs of everything it needs, dependencies first and each once', () => {
    const tasks = [task('base'), task('left', 'base'), task('right', 'base'), task('top', 'left', 'right')];
    const graph = new TaskGraph(tasks, [
      outcome('base', true, '1'),
      outcome('left', true, '2'),
      outcome('right', true, '3'),
    ]);
    assert.deepEqual(graph.inputsOf(tasks[3]!), ['1', '2', '3']);
    assert.deepEqual(graph.inputsOf(tasks[0]!), []);
  });

  it('shows how far each task is', () => {
    const graph = new TaskGraph([task('a'), task('b', 'a'), task('c')], [outcome('c', true)]);
    graph.takeReady();
    assert.deepEqual(graph.describe().split('\n').slice(2), [
      '| a | running |',
      '| b | to come |',
      '| c | succeeded |',
    ]);
  });

  it('counts a need that is no task of the run as met', () => {
    assert.deepEqual(ids(new TaskGraph([task('b', 'not-here')], []).takeReady()), ['b']);
  });
});

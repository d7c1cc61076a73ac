import assert from 'node:assert/strict';
import type { WorkItem } from '../../contracts/plan.ts';
import { describeItems, ItemGraph } from '../../workflows/item-graph.ts';

const item = (id: string, ...needs: string[]): WorkItem => ({ id, title: `The ${id}`, prompt: id, files: [], needs });
const ids = (graph: ItemGraph): string[] => graph.order.map(({ id }) => id);

describe('the graph of work items', () => {
  it('puts what others need first, then the rest, both in the order of the plan', () => {
    const graph = new ItemGraph([item('docs'), item('end', 'a', 'b'), item('b'), item('a', 'core'), item('core')]);
    assert.deepEqual(ids(graph), ['b', 'core', 'a', 'docs', 'end']);
  });

  it('has an item start from what it needs, and from nothing that nobody needs', () => {
    const graph = new ItemGraph([item('slow'), item('a'), item('b', 'a'), item('c', 'a', 'b')]);
    assert.deepEqual(ids(graph), ['a', 'b', 'slow', 'c']);
    assert.deepEqual(
      graph.order.map((one) => graph.startOf(one)),
      [0, 1, 0, 2],
    );
  });

  it('says what an item cannot be done without', () => {
    const [a, b, c] = [item('a'), item('b', 'a'), item('c')];
    const graph = new ItemGraph([a, b, c]);
    assert.equal(graph.blockerOf(b), undefined);
    graph.set(a, 'failed', 'refused');
    assert.equal(graph.blockerOf(b), a);
    assert.equal(graph.blockerOf(c), undefined);
  });

  it('shows every item with its state', () => {
    const a = item('a');
    const graph = new ItemGraph([a, item('b', 'a')]);
    assert.deepEqual(graph.set(a, 'resolving', 'collides in x|y'), {
      id: 'a',
      title: 'The a',
      needs: [],
      state: 'resolving',
      message: 'collides in x|y',
    });
    assert.match(
      describeItems(graph.views),
      /\| a \| The a \| {2}\| resolving: collides in x\\\|y \|\n\| b \| The b \| a \| waiting \|/,
    );
  });
});

import assert from 'node:assert/strict';
import type { ModelMove } from './scripted-model.ts';

type Asked = { prompt: string; answers: number; results: string[] };

const edit = (path: string, oldText: string, newText: string): { tool: string; args: unknown } => ({
  tool: 'edit',
  args: { path, oldText, newText },
});

/** In the order in which they are put together: `tests` needs the first two, `notes` collides with it. */
export const queueItems = [
  { id: 'size', title: 'Add size()', prompt: 'Add size() beside length() in queue.js.', files: ['queue.js'] },
  { id: 'types', title: 'Declare size()', prompt: 'Declare size() in index.d.ts.', files: ['index.d.ts'] },
  {
    id: 'tests',
    title: 'Test and document size()',
    prompt: 'Test size() in test/test.js, and list it in README.md.',
    files: ['test/test.js', 'README.md'],
    needs: ['size', 'types'],
  },
  {
    id: 'notes',
    title: 'Say what it is not for',
    prompt: 'Say in README.md what it is not for.',
    files: ['README.md'],
  },
] as const;

const lengthLine = '* <a href="#length"><code>queue#<b>length()</b></code></a>';
const sizeLine = '* <a href="#size"><code>queue#<b>size()</b></code></a>';
const notesLine = '* Not for many processes';

/** Adds `queue.size()` to fastq by four agents. `delays`: milliseconds after which an item's agent says that it is done. */
export function addToQueue(
  delays: Partial<Record<(typeof queueItems)[number]['id'], number>>,
): (asked: Asked) => ModelMove {
  return ({ prompt, answers, results }) => {
    if (prompt.includes('Do not change anything yet')) {
      if (answers === 0) return [{ tool: 'propose-work', args: { items: [{ ...queueItems[0], needs: ['nothing'] }] } }];
      if (answers === 1) {
        assert.match(results.at(-1)!, /needs "nothing", and there is no such item/);
        return [{ tool: 'propose-work', args: { items: queueItems } }];
      }
      return 'Add `size()`, the sum of what waits and what runs.';
    }
    if (prompt.includes('collides in these files')) {
      assert.match(prompt, /"ours"[^]*- tests, Test and document[^]*"theirs"[^]*- notes, Say what/);
      // What the model leaves half done at first.
      const half = [edit('README.md', '<<<<<<< ours\n', ''), edit('README.md', '=======\n', '')];
      return answers === 0 ? half : 'Settled.';
    }
    if (prompt.includes('still there')) {
      assert.match(prompt, /- README\.md:\d+\n/);
      return answers === 0 ? [edit('README.md', '>>>>>>> theirs\n', '')] : 'Settled now.';
    }
    const id = /Carry out the item (\w+):/.exec(prompt)?.[1];
    const item = queueItems.find((one) => one.id === id);
    assert.ok(item, `nothing else is asked of the model: ${prompt}`);
    if (item.id === 'tests' && answers === 0)
      return [{ tool: 'search', args: { pattern: 'size(: size|\\(\\): number)' } }];
    if (item.id === 'tests' && answers === 1)
      assert.match(results.at(-1)!, /index\.d\.ts[^]*queue\.js/, 'what both made is there');
    if (answers < (item.id === 'tests' ? 2 : 1)) return editsOf[item.id];
    return { afterMs: delays[item.id] ?? 0, move: `Did ${item.id}.` };
  };
}

const editsOf: Record<(typeof queueItems)[number]['id'], ModelMove> = {
  size: [
    edit('queue.js', '    length: length,', '    length: length,\n    size: size,'),
    edit(
      'queue.js',
      '  function pause () {',
      '  function size () {\n    return _running + length()\n  }\n\n  function pause () {',
    ),
  ],
  types: [edit('index.d.ts', '    length(): number', '    length(): number\n    size(): number')],
  tests: [
    edit('README.md', lengthLine, `${lengthLine}\n${sizeLine}`),
    edit(
      'test/test.js',
      "test('paused flag', function (t) {",
      `test('size', function (t) {
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

test('paused flag', function (t) {`,
    ),
  ],
  notes: [edit('README.md', lengthLine, `${lengthLine}\n${notesLine}`)],
};

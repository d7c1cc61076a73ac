import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type History, historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import * as workflows from '../../workflows/index.ts';
import { workflowBundle } from '../../workers/support/workflow-bundle.ts';
import { root } from '../support/stack.ts';
import { withTempDir } from '../support/temp-dir.ts';

const folder = join(root, 'test', 'histories');

describe('histories of released workflows', () => {
  it('are there for every workflow', async () => {
    const kept = new Set((await readdir(folder)).map((name) => name.replace(/-\d+\.json$/, '')));
    assert.deepEqual(
      Object.keys(workflows).filter((name) => !kept.has(name) && !cannotRunAlone.has(name)),
      [],
    );
  });

  it('replay on the workflows as they are now', async () => {
    try {
      Runtime.install({ logger: new DefaultLogger('ERROR') });
    } catch {
      // Another test of this process was first.
    }
    await withTempDir(async (dir) => {
      const histories = await Promise.all((await readdir(folder)).map((name) => readHistory(join(folder, name))));
      const failures: string[] = [];
      let replayed = 0;
      const results = Worker.runReplayHistories({ workflowBundle: { codePath: await workflowBundle(dir) } }, histories);
      for await (const { workflowId, error } of results) {
        replayed += 1;
        if (error) failures.push(`${workflowId}: ${error.message}`);
      }
      assert.deepEqual(failures, []);
      assert.equal(replayed, histories.length);
    });
  });
});

/** Child workflows are named after their parent, so the id belongs to what is replayed. */
async function readHistory(file: string): Promise<{ workflowId: string; history: History }> {
  const history = historyFromJSON(JSON.parse(await readFile(file, 'utf8')));
  const { workflowId } = history.events![0]!.workflowExecutionStartedEventAttributes!;
  return { workflowId: workflowId!, history };
}

/** Need a machine of their own; their one activity is that of probeNode, whose history is kept. */
const cannotRunAlone = new Set(['registerNode', 'removeNode']);

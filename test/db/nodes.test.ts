import assert from 'node:assert/strict';
import { demandClass, listClasses } from '../../db/classes.ts';
import { getNode, listNodes, removeNode, saveNode, setNodeState } from '../../db/nodes.ts';
import { startStep } from '../../db/steps.ts';
import { addJob, nodeRecord } from './samples.ts';
import { withSchema } from './with-schema.ts';

describe('the records of nodes', function () {
  this.timeout(30_000);

  it('give back what was saved, an SSH node as well as the own machine', () =>
    withSchema(async (database) => {
      const remote = nodeRecord('remote');
      const { ssh: _ssh, hostKey: _hostKey, ...own } = nodeRecord('own', { labels: {} });
      await saveNode(database, remote);
      await saveNode(database, own);
      assert.deepEqual(await listNodes(database), [own, remote]);
      await saveNode(database, { ...remote, slots: 9 });
      assert.equal((await getNode(database, 'remote'))?.slots, 9);
    }));

  it('do not come back when a probe ends after the removal', () =>
    withSchema(async (database) => {
      await saveNode(database, nodeRecord('n'));
      assert.equal(await removeNode(database, 'n'), true);
      assert.equal(await saveNode(database, nodeRecord('n'), { onlyKnown: true }), false);
      assert.equal(await setNodeState(database, 'n', 'healthy'), false);
      assert.equal(await removeNode(database, 'n'), false);
      assert.deepEqual(await listNodes(database), []);
    }));

  it('say how many steps each node is busy with', () =>
    withSchema(async (database) => {
      await saveNode(database, nodeRecord('n'));
      const jobId = await addJob(database);
      for (const taskId of ['a', 'b']) {
        await startStep(database, {
          jobId,
          executionId: taskId,
          taskId,
          title: taskId,
          phase: 'testing',
          node: 'n',
          attempt: 1,
        });
      }
      assert.equal((await getNode(database, 'n'))?.busy, 2);
    }));

  it('notify of changes only', () =>
    withSchema(async (database) => {
      const heard: (string | undefined)[] = [];
      await database.listen('helix_nodes', (payload) => heard.push(payload));
      await saveNode(database, nodeRecord('n'));
      await setNodeState(database, 'n', 'healthy');
      await setNodeState(database, 'n', 'unreachable', 'no route to host');
      await setNodeState(database, 'n', 'unreachable', 'no route to host');
      await setNodeState(database, 'n', 'healthy');
      await removeNode(database, 'n');
      await database.query("select pg_notify('helix_nodes', 'the last')");
      while (heard.at(-1) !== 'the last') await new Promise((resolve) => setTimeout(resolve, 5));
      assert.deepEqual(
        heard.filter((payload) => payload !== undefined),
        ['n', 'n', 'n', 'n', 'the last'],
      );
    }));
});

describe('demanded capability classes', function () {
  this.timeout(30_000);

  it('are listed once, and announced the first time', () =>
    withSchema(async (database) => {
      const heard: (string | undefined)[] = [];
      await database.listen('helix_classes', (payload) => heard.push(payload));
      for (const name of ['linux', 'docker', 'linux']) await demandClass(database, name);
      await database.query("select pg_notify('helix_classes', 'the last')");
      while (heard.at(-1) !== 'the last') await new Promise((resolve) => setTimeout(resolve, 5));
      assert.deepEqual(
        heard.filter((payload) => payload !== undefined),
        ['linux', 'docker', 'the last'],
      );
      assert.deepEqual(await listClasses(database), ['docker', 'linux']);
    }));
});

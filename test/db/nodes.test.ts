import assert from 'node:assert/strict';
import { demandClass, listClasses } from '../../db/classes.ts';
import { listNodeEvents } from '../../db/node-events.ts';
import { changeStanding, getNode, insertNode, listNodes, removeNode, updateNode } from '../../db/nodes.ts';
import { startSteps, type StepStart } from '../../db/steps.ts';
import { addJob, nodeRecord } from './samples.ts';
import { withSchema } from './with-schema.ts';

describe('the records of nodes', () => {
  it('give back what was saved, an SSH node as well as the own machine', () =>
    withSchema(async (database) => {
      const remote = nodeRecord('remote');
      const { ssh: _ssh, hostKey: _hostKey, ...own } = nodeRecord('own', { labels: {} });
      assert.equal(await insertNode(database, remote), true);
      assert.equal(await insertNode(database, own), true);
      const listed = await listNodes(database);
      assert.deepEqual(
        listed.map((node) => ({ ...node, since: own.since })),
        [own, remote],
      );
      assert.equal(await updateNode(database, { ...remote, slots: 9 }), true);
      assert.equal((await getNode(database, 'remote'))?.slots, 9);
      assert.equal(await insertNode(database, { ...remote, slots: 7 }), false, 'the name is taken');
      assert.equal(await insertNode(database, nodeRecord('third'), { first: true }), false, 'it is not the first');
      assert.equal((await listNodes(database)).length, 2);
    }));

  it('do not come back when a probe ends after the removal', () =>
    withSchema(async (database) => {
      await insertNode(database, nodeRecord('n'));
      assert.equal(await removeNode(database, 'n'), true);
      assert.equal(await updateNode(database, nodeRecord('n')), false);
      assert.equal(await changeStanding(database, 'n', { condition: { state: 'healthy' } }), undefined);
      assert.equal(await removeNode(database, 'n'), false);
      assert.deepEqual(await listNodes(database), []);
    }));

  it('say how many steps each node is busy with', () =>
    withSchema(async (database) => {
      await insertNode(database, nodeRecord('n'));
      const jobId = await addJob(database);
      const step = (taskId: string): StepStart => ({
        jobId,
        executionId: taskId,
        taskId,
        title: taskId,
        phase: 'testing',
        node: 'n',
        attempt: 1,
      });
      await startSteps(database, jobId, [step('a'), step('b')]);
      assert.equal((await getNode(database, 'n'))?.busy, 2);
    }));

  it('notify of changes only', () =>
    withSchema(async (database) => {
      const heard: (string | undefined)[] = [];
      await database.listen('helix_nodes', (payload) => heard.push(payload));
      await insertNode(database, nodeRecord('n'));
      const unreachable = { state: 'unreachable', reason: 'no route to host' } as const;
      await changeStanding(database, 'n', { condition: { state: 'healthy' } });
      await changeStanding(database, 'n', { condition: unreachable });
      await changeStanding(database, 'n', { condition: unreachable });
      await changeStanding(database, 'n', { condition: { state: 'healthy' } });
      await removeNode(database, 'n');
      await database.query("select pg_notify('helix_nodes', 'the last')");
      while (heard.at(-1) !== 'the last') await new Promise((resolve) => setTimeout(resolve, 5));
      assert.deepEqual(
        heard.filter((payload) => payload !== undefined),
        ['n', 'n', 'n', 'n', 'the last'],
      );
    }));
});

describe('the standing of a node', () => {
  it('is the most serious of what holds, with all reasons, and each change is kept with its time', () =>
    withSchema(async (database) => {
      await insertNode(database, nodeRecord('n'));
      const change = async (...changes: Parameters<typeof changeStanding>[2][]) => {
        for (const each of changes) await changeStanding(database, 'n', each);
        const { state, reason } = (await getNode(database, 'n'))!;
        return [state, reason];
      };
      const disk = { condition: { state: 'degraded', reason: 'disk low' } } as const;
      assert.deepEqual(await change(disk), ['degraded', 'disk low']);
      assert.deepEqual(await change({ hold: { kind: 'cordoned', reason: 'new kernel' } }), [
        'cordoned',
        'new kernel; also degraded: disk low',
      ]);
      const quarantine = { reasons: ['it breaks', 'it fails'], since: new Date().toISOString() };
      assert.deepEqual(await change({ quarantine }), [
        'quarantined',
        'it breaks, it fails; also cordoned: new kernel; also degraded: disk low',
      ]);
      assert.deepEqual(await change({ condition: { state: 'unreachable', reason: 'no route' } }), [
        'unreachable',
        'no route; also quarantined: it breaks, it fails; also cordoned: new kernel',
      ]);
      const before = (await getNode(database, 'n'))!.since;
      assert.deepEqual(await change({ hold: null }, { quarantine: null }), ['unreachable', 'no route']);
      assert.equal((await getNode(database, 'n'))!.since, before, 'the state is the same since then');
      assert.deepEqual(await change({ condition: { state: 'healthy' } }), ['healthy', undefined]);
      const events = await listNodeEvents(database, 'n', 100);
      assert.deepEqual(
        events.map(({ state }) => state),
        ['healthy', 'unreachable', 'unreachable', 'unreachable', 'quarantined', 'cordoned', 'degraded'],
      );
      assert.equal(events[0]!.at, (await getNode(database, 'n'))!.since);
    }));

  it('is changed by the node-pool that holds the node and by nobody who held it before', () =>
    withSchema(async (database) => {
      const registration = '7e0b7a43-6a5e-4d0e-9a2e-0d6e3f1d4c11';
      await insertNode(database, nodeRecord('n'), { holder: { pool: 'new', registration } });
      const lost = { condition: { state: 'unreachable', reason: 'late news' } } as const;
      assert.equal(await changeStanding(database, 'n', lost, 'old'), undefined);
      assert.equal((await getNode(database, 'n'))!.state, 'healthy');
      assert.equal((await changeStanding(database, 'n', lost, 'new'))!.state, 'unreachable');
    }));
});

describe('demanded capability classes', () => {
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

import assert from 'node:assert/strict';
import { outermost, shortName, turnsNamed } from '../../api/temporal/running-turns.ts';

const job = 'job-0123456789ab';
const building = `${job}/building-1`;
const turns = [
  { id: `${building}/item-api`, parent: building },
  { id: `${building}/item-api/1`, parent: `${building}/item-api` },
  { id: `${building}/item-cli/settle-1`, parent: building },
];
const named = (agent?: string): string[] => turnsNamed(turns, job, agent).map(({ id }) => id);

describe('agents at work', () => {
  it('are all meant where none is named, and otherwise those of an item with who works for them', () => {
    assert.equal(named().length, 3);
    assert.deepEqual(named('api'), [`${building}/item-api`, `${building}/item-api/1`]);
    assert.deepEqual(named('cli'), [`${building}/item-cli/settle-1`]);
    assert.deepEqual(named('ap'), []);
  });

  it('can be named as errors list them', () => {
    const names = turns.map(({ id }) => shortName(id, job));
    assert.deepEqual(names, ['api', 'building-1/item-api/1', 'building-1/item-cli/settle-1']);
    assert.deepEqual(named(names[1]), [turns[1]!.id]);
    assert.deepEqual(named(names[2]), [turns[2]!.id]);
  });

  it('are told apart from those that work for them', () => {
    assert.deepEqual(
      outermost(turns).map(({ id }) => id),
      [turns[0]!.id, turns[2]!.id],
    );
  });
});

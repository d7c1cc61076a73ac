import assert from 'node:assert/strict';
import { openDatabase } from '../../db/database.ts';
import { migrate } from '../../db/migrate.ts';
import { withDatabase } from '../support/postgres.ts';

describe('migrations', () => {
  it('are applied once, also when several processes apply them at the same moment', () =>
    withDatabase(async (url) => {
      const databases = Array.from({ length: 4 }, () => openDatabase(url));
      try {
        const applied = await Promise.all(databases.map((database) => migrate(database)));
        const counts = applied.map((names) => names.length).sort((a, b) => a - b);
        assert.deepEqual(counts.slice(0, 3), [0, 0, 0]);
        assert.ok(counts[3]! >= 3);
        assert.deepEqual(await migrate(databases[0]!), []);
      } finally {
        await Promise.all(databases.map((database) => database.close()));
      }
    }));
});

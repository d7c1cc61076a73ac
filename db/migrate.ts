import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Database } from './database.ts';

const folder = join(import.meta.dirname, 'migrations');

/** Any number that nothing else in the database locks. */
const migrationLock = 7_405_129_301;

/**
 * Brings the schema up to date; several processes may call it at once. All of it is one transaction: a migration that fails
 * leaves the schema as it was. Returns the names of the files applied now.
 */
export async function migrate(database: Database): Promise<string[]> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort();
  return database.transaction(async (transaction) => {
    await transaction.query('select pg_advisory_xact_lock($1)', [migrationLock]);
    await transaction.query(
      'create table if not exists helix_migrations (name text primary key, applied_at timestamptz not null default now())',
    );
    const { rows } = await transaction.query<{ name: string }>('select name from helix_migrations');
    const applied = new Set(rows.map(({ name }) => name));
    const pending = files.filter((name) => !applied.has(name));
    for (const name of pending) {
      await transaction.query(await readFile(join(folder, name), 'utf8'));
      await transaction.query('insert into helix_migrations (name) values ($1)', [name]);
    }
    return pending;
  });
}

import { type Database, openDatabase } from '../../db/database.ts';
import { migrate } from '../../db/migrate.ts';
import { withDatabase } from '../support/postgres.ts';

/** A database of its own, with the schema in it. */
export async function withSchema<T>(use: (database: Database, url: string) => Promise<T>): Promise<T> {
  return withDatabase(async (url) => {
    const database = openDatabase(url);
    try {
      await migrate(database);
      return await use(database, url);
    } finally {
      await database.close();
    }
  });
}

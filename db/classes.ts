import type { Queryable } from './database.ts';

/** Notified with a capability class when a step asks for it for the first time. */
export const classesChannel = 'helix_classes';

/** Records that a step asks for a capability class (its canonical text), so that the node pool serves its task queue. */
export async function demandClass(database: Queryable, name: string): Promise<void> {
  await database.query(
    `with demanded as (
       insert into capability_classes (name) values ($1) on conflict (name) do nothing returning name
     )
     select pg_notify($2, name) from demanded`,
    [name, classesChannel],
  );
}

/** Every capability class ever asked for, by name. */
export async function listClasses(database: Queryable): Promise<string[]> {
  const { rows } = await database.query<{ name: string }>('select name from capability_classes order by name');
  return rows.map(({ name }) => name);
}

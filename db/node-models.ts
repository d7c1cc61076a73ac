import type { LocalModel, PlacedModel } from '../contracts/local-model.ts';
import type { Queryable } from './database.ts';
import { toJsonb } from './json.ts';

/** A node that was removed meanwhile has no models. */
export async function saveNodeModel(database: Queryable, node: string, model: LocalModel): Promise<void> {
  await database.query(
    `insert into node_models (node, name, model) select $1, $2, $3::jsonb where exists (select from nodes where name = $1)
     on conflict (node, name) do update set model = excluded.model`,
    [node, model.name, toJsonb(model)],
  );
}

export async function removeNodeModel(database: Queryable, node: string, name: string): Promise<void> {
  await database.query('delete from node_models where node = $1 and name = $2', [node, name]);
}

/** By name and node. */
export async function listNodeModels(database: Queryable): Promise<PlacedModel[]> {
  const { rows } = await database.query<{ node: string; model: LocalModel }>(
    'select node, model from node_models order by name, node',
  );
  return rows.map(({ node, model }) => ({ ...model, node }));
}

import type { PlacedModel, Recommendation } from '../../contracts/local-model.ts';
import type { ModelSize } from './fit.ts';
import { type Machine, type Place, placesFor } from './machines.ts';
import catalog from './models.json' with { type: 'json' };

/** A model of the list that comes with HelixCode. */
export interface KnownModel {
  name: string;
  title: string;
  repository: string;
  /** The first, where it is split. */
  file: string;
  parameters: number;
  /** Of a mixture of experts, those that work on one token. */
  activeParameters?: number;
  quantization: string;
  bytes: number;
  cacheBytesPerToken: number;
  contextTokens: number;
  licence: string;
  /** How well it does an agent's work, against the others of the list; 1 is the least. */
  rank: number;
}

export const knownModels: readonly KnownModel[] = catalog.models;

/** Slower than this, an agent's turn takes the patience of a user. */
const bearable = 5;

/** The models of the list that some machine can run, the best first: those that answer at a bearable speed before the others. */
export function recommend(
  machines: readonly Machine[],
  pulled: readonly Pick<PlacedModel, 'name' | 'node'>[] = [],
): Recommendation[] {
  const isBearable = ({ places }: { places: Place[] }): number => Number(places[0]!.fit.tokensPerSecond >= bearable);
  return knownModels
    .map((model) => ({ model, places: placesFor(sizeOf(model), machines) }))
    .filter(({ places }) => places.length > 0)
    .toSorted((a, b) => isBearable(b) - isBearable(a) || b.model.rank - a.model.rank)
    .map(({ model, places }) => ({
      name: model.name,
      title: model.title,
      source: `hub:${model.repository}/${model.file}`,
      parameters: model.parameters,
      quantization: model.quantization,
      bytes: model.bytes,
      licence: model.licence,
      places: places.map(({ machine: { node }, fit }) => ({
        node,
        fit,
        pulled: pulled.some((one) => one.name === model.name && one.node === node),
      })),
    }));
}

export function sizeOf({
  bytes,
  cacheBytesPerToken,
  contextTokens,
  parameters,
  activeParameters,
}: KnownModel): ModelSize {
  const activeShare = (activeParameters ?? parameters) / parameters;
  return { bytes, cacheBytesPerToken, contextTokens, activeShare };
}

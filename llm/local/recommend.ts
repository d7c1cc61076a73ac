import type { LocalHardware, Recommendation } from '../../contracts/local-model.ts';
import { fit, type ModelSize } from './fit.ts';
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

/** The models of the list that a machine can run, the best first: those that answer at a bearable speed before the others. */
export function recommend(hardware: LocalHardware, pulled: ReadonlySet<string> = new Set()): Recommendation[] {
  return knownModels
    .map((model) => ({ model, fit: fit(sizeOf(model), hardware) }))
    .filter(({ fit: { where } }) => where !== 'nowhere')
    .toSorted(
      (a, b) =>
        Number(b.fit.tokensPerSecond >= bearable) - Number(a.fit.tokensPerSecond >= bearable) ||
        b.model.rank - a.model.rank,
    )
    .map(({ model, fit: its }) => ({
      name: model.name,
      title: model.title,
      source: `hub:${model.repository}/${model.file}`,
      parameters: model.parameters,
      quantization: model.quantization,
      bytes: model.bytes,
      licence: model.licence,
      fit: its,
      pulled: pulled.has(model.name),
    }));
}

function sizeOf({ bytes, cacheBytesPerToken, contextTokens, parameters, activeParameters }: KnownModel): ModelSize {
  const activeShare = (activeParameters ?? parameters) / parameters;
  return { bytes, cacheBytesPerToken, contextTokens, activeShare };
}

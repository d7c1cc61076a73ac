import {
  type LocalModel,
  type LocalModelDetails,
  localModelDetailsSchema,
  localModelListSchema,
  type PullEvent,
  pullEventSchema,
  type RecommendationList,
  recommendationListSchema,
} from '../contracts/local-model.ts';
import type { Http } from './http.ts';
import { postForLines } from './post-for-lines.ts';

/** The part of the API that is about models on the user's own machines. */
export interface LocalModelClient {
  listLocalModels(): Promise<LocalModel[]>;
  /** For the machine that the API runs on when no node is named. */
  recommendModels(node?: string): Promise<RecommendationList>;
  /** Throws what went wrong. Aborting it leaves a part that the next pull goes on from. */
  pullModel(source: string, options?: { signal?: AbortSignal }): AsyncGenerator<PullEvent>;
  removeLocalModel(name: string): Promise<void>;
  localModelInfo(name: string): Promise<LocalModelDetails>;
}

export function createLocalModelClient(http: Http): LocalModelClient {
  const one = (name: string): string => `/local-models/${encodeURIComponent(name)}`;
  return {
    listLocalModels: async () => (await http.json(localModelListSchema, '/local-models')).models,
    recommendModels: (node) =>
      http.json(
        recommendationListSchema,
        `/local-models/recommend${node === undefined ? '' : `?node=${encodeURIComponent(node)}`}`,
      ),
    pullModel: (source, options = {}) =>
      postForLines(http, '/local-models/pull', { source }, pullEventSchema, options.signal),
    removeLocalModel: async (name) => {
      await http.send(one(name), { method: 'DELETE' });
    },
    localModelInfo: (name) => http.json(localModelDetailsSchema, one(name)),
  };
}

import {
  type LocalModelDetails,
  localModelDetailsSchema,
  type LocalModelList,
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
  listLocalModels(): Promise<LocalModelList>;
  /** For all machines when no node is named. */
  recommendModels(node?: string): Promise<RecommendationList>;
  /** To the node that suits best when none is named. Throws what went wrong. Aborting it leaves a part that the next pull goes on from. */
  pullModel(source: string, options?: { signal?: AbortSignal; node?: string | undefined }): AsyncGenerator<PullEvent>;
  removeLocalModel(name: string, node?: string): Promise<void>;
  localModelInfo(name: string, node?: string): Promise<LocalModelDetails>;
}

export function createLocalModelClient(http: Http): LocalModelClient {
  const at = (path: string, node: string | undefined): string =>
    `/local-models/${path}${node === undefined ? '' : `?node=${encodeURIComponent(node)}`}`;
  return {
    listLocalModels: () => http.json(localModelListSchema, '/local-models'),
    recommendModels: (node) => http.json(recommendationListSchema, at('recommend', node)),
    pullModel: (source, { signal, node } = {}) =>
      postForLines(http, '/local-models/pull', { source, node }, pullEventSchema, signal),
    removeLocalModel: async (name, node) => {
      await http.send(at(encodeURIComponent(name), node), { method: 'DELETE' });
    },
    localModelInfo: (name, node) => http.json(localModelDetailsSchema, at(encodeURIComponent(name), node)),
  };
}

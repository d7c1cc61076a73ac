export type AttributeType = 'Keyword' | 'KeywordList';

/** What jobs can be found by in the Temporal Web UI and by list queries. */
export const searchAttributes: Readonly<Record<string, AttributeType>> = {
  HelixProject: 'Keyword',
  HelixMode: 'Keyword',
  HelixPhase: 'Keyword',
  HelixUser: 'Keyword',
  HelixCriticality: 'Keyword',
  HelixNode: 'KeywordList',
};

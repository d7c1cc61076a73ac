/** How far something long is; bytes are missing where they say nothing. */
export interface Progress {
  what: string;
  completedBytes?: number;
  totalBytes?: number;
}

export type OnProgress = (progress: Progress) => void;

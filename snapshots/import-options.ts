export interface ImportOptions {
  signal?: AbortSignal;
  /** Called with lines for people: progress, and what is not taken along. */
  onProgress?: (line: string) => void;
}

import type { Candidate } from './candidate.ts';

/** What was found in a file: machines, those that cannot become nodes with the reason, and what was passed over. */
export interface Found {
  candidates: Candidate[];
  refused: { name: string; reason: string }[];
  notices: string[];
}

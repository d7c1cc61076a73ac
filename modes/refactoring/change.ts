import { HelixError } from '../../contracts/error.ts';

/** New contents by workspace-relative path; null removes the file. */
export interface Change {
  files: Map<string, string | null>;
  /** One line for people. */
  summary: string;
}

/** A recipe that cannot be applied: the message says why and what to do. */
export function notApplicable(message: string): HelixError {
  return new HelixError('recipe.not-applicable', message);
}

/** "1 file", "3 files". */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

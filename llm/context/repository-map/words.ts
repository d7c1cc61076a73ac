/** What a text names: identifiers, plain words and paths. */
export interface Mentions {
  /** Names that can only be meant as such: `parseArgs`, `MAX_SIZE`, `HelixError`, `` `run` ``. */
  identifiers: ReadonlySet<string>;
  /** Lower-case words, and two or three that follow each other written together: `circuit breaker` names `CircuitBreaker` and `circuit-breaker.ts`. */
  words: ReadonlySet<string>;
  paths: ReadonlySet<string>;
}

/** Read from the end of long conversations: what was said last counts, and reading is to stay fast. */
const mostCharacters = 200_000;

export function mentionsIn(given: string): Mentions {
  const text = given.slice(-mostCharacters);
  const identifiers = new Set(
    [...text.matchAll(/`([\p{L}_$][\p{L}\p{N}_$]+)`|([\p{L}_$][\p{L}\p{N}_$]{2,})/gu)]
      .filter(([, quoted, word]) => quoted !== undefined || /[\p{L}\p{N}][\p{Lu}_]|_\p{L}|\p{L}\p{N}/u.test(word!))
      .map(([, quoted, word]) => quoted ?? word!),
  );
  const words = new Set<string>();
  const plain = text.toLowerCase().match(/\p{L}[\p{L}\p{N}]*/gu) ?? [];
  for (let index = 0; index < plain.length; index++) {
    let together = '';
    for (const word of plain.slice(index, index + 3)) {
      together += word;
      if (together.length >= 4) words.add(together);
    }
  }
  const paths = new Set(text.match(/[\w@./-]*\w\.\w+/g)?.map((word) => word.replace(/^\.?\//, '')));
  return { identifiers, words, paths };
}

/** A name as `words` has it. */
export function plainName(name: string): string {
  return name.replaceAll(/[^\p{L}\p{N}]/gu, '').toLowerCase();
}

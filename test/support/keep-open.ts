/** Something that a function lends, kept until it is given back: from one hook of mocha to another. */
export interface Kept<T> {
  resource: T;
  giveBack(): Promise<void>;
}

/** Throws what `lend` throws before it has lent anything. */
export async function keepOpen<T>(lend: (use: (resource: T) => Promise<void>) => Promise<void>): Promise<Kept<T>> {
  const over = Promise.withResolvers<void>();
  const lent = Promise.withResolvers<T>();
  const ended = lend(async (resource) => {
    lent.resolve(resource);
    await over.promise;
  });
  ended.catch((error: unknown) => lent.reject(error));
  return {
    resource: await lent.promise,
    async giveBack() {
      over.resolve();
      await ended;
    },
  };
}

import type { Http } from './http.ts';
import { Retry, type RetryOptions } from './retry.ts';

export interface LogOptions extends RetryOptions {
  /** Bytes to leave out; default 0. */
  offset?: number;
  /** Go on until it has ended. */
  follow?: boolean;
}

/** A growing log in pieces, that of a step or of a model's answer. When the connection breaks it goes on at the byte where it was. */
export async function* followLog(http: Http, path: string, options: LogOptions): AsyncGenerator<Uint8Array> {
  const retry = new Retry(options);
  let offset = options.offset ?? 0;
  for (;;) {
    try {
      const query = `offset=${offset}&follow=${options.follow ? 1 : 0}`;
      const response = await http.send(`${path}?${query}`, options.signal ? { signal: options.signal } : {});
      for await (const chunk of http.body(response, options.signal)) {
        retry.heard();
        offset += chunk.length;
        yield chunk;
      }
      return;
    } catch (error) {
      await retry.wait(error);
    }
  }
}

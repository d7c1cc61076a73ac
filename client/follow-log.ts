import type { Http } from './http.ts';
import { Retry, type RetryOptions } from './retry.ts';

export interface LogOptions extends RetryOptions {
  /** Bytes to leave out; default 0. */
  offset?: number;
  /** Go on until the step has ended. */
  follow?: boolean;
}

/** A step's log in pieces. When the connection breaks it goes on at the byte where it was. */
export async function* followLog(
  http: Http,
  jobId: string,
  step: number,
  options: LogOptions,
): AsyncGenerator<Uint8Array> {
  const retry = new Retry(options);
  let offset = options.offset ?? 0;
  for (;;) {
    try {
      const query = `offset=${offset}&follow=${options.follow ? 1 : 0}`;
      const response = await http.send(
        `/jobs/${jobId}/steps/${step}/log?${query}`,
        options.signal ? { signal: options.signal } : {},
      );
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

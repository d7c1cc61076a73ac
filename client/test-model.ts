import { type ModelTest, type ModelTestEvent, modelTestEventSchema } from '../contracts/api.ts';
import { type ErrorCode, errorCodes, HelixError } from '../contracts/error.ts';
import type { Http } from './http.ts';
import { readJsonLines } from './json-lines.ts';

/** What the model says, as it comes. */
export async function* testModel(http: Http, test: ModelTest, signal?: AbortSignal): AsyncGenerator<ModelTestEvent> {
  const response = await http.send('/models/test', { method: 'POST', body: test, ...(signal ? { signal } : {}) });
  for await (const line of readJsonLines(http.body(response, signal))) {
    const event = modelTestEventSchema.parse(line);
    if (event.type === 'error') throw new HelixError(knownCode(event.code), event.message);
    yield event;
  }
}

function knownCode(code: string): ErrorCode {
  return Object.hasOwn(errorCodes, code) ? (code as ErrorCode) : 'internal';
}

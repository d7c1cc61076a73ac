import { httpError, malformedAnswer, unavailable } from '../errors.ts';
import type { ErrorContext } from '../errors.ts';

/**
 * The answer, with its lines looked at as they pass: the vendor's client prints a line that is no JSON and goes on as if nothing had been there.
 * Reading it throws `llm.malformed-answer` for such a line, the error that a line tells of, and `llm.unavailable` when the last line is missing.
 */
export function guardedLines(response: Response, context: ErrorContext): Response {
  if (!response.body) return response;
  const decoder = new TextDecoder();
  let open = '';
  let finished = false;
  let empty = true;
  const guard = new TransformStream<Uint8Array, Uint8Array>({
    transform: (bytes, controller) => {
      empty = false;
      open += decoder.decode(bytes, { stream: true });
      const lines = open.split('\n');
      open = lines.pop() ?? '';
      for (const line of lines) finished = isLast(line, context) || finished;
      controller.enqueue(bytes);
    },
    flush: () => {
      if (empty) throw malformedAnswer(context, 'gave an empty answer');
      if (!isLast(open, context) && !finished) throw unavailable(context, 'broke off its answer');
    },
  });
  const { status, headers } = response;
  return new Response(response.body.pipeThrough(guard), { status, headers });
}

function isLast(line: string, context: ErrorContext): boolean {
  if (line.trim() === '') return false;
  let value: Record<string, unknown> | null;
  try {
    value = JSON.parse(line) as typeof value;
  } catch {
    throw malformedAnswer(context, 'sent a line that is no JSON');
  }
  const error = value?.['error'];
  if (error) {
    // The status of the answer was sent before, so that only the words tell a missing model from a failure.
    const missing = typeof error === 'string' && /file does not exist|not found/.test(error);
    throw httpError(context, { status: missing ? 404 : 500, body: value });
  }
  return value?.['done'] === true || value?.['status'] === 'success';
}

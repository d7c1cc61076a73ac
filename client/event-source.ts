import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { Http } from './http.ts';

/** The server sends something every 15 s; a connection that is silent for longer is dead, even if nobody said so. */
const silenceMs = 45_000;

interface EventSourceOptions {
  signal?: AbortSignal;
  /** Called when the server answers and with everything it sends, heartbeats too. */
  onHeard(): void;
}

/** Server-sent events of one connection, until it ends. Throws `stack.unreachable` when it breaks or is silent for too long. */
export async function* readEventSource(
  http: Http,
  path: string,
  { signal, onHeard }: EventSourceOptions,
): AsyncGenerator<EventSourceMessage> {
  const silence = new AbortController();
  // The reason is what the reader gets to see, as one of the failures that another attempt may mend.
  const timer = setTimeout(() => silence.abort(http.unreachable(new Error('silent for too long'))), silenceMs);
  const messages: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (message) => messages.push(message) });
  const decoder = new TextDecoder();
  try {
    const response = await http.send(path, {
      headers: { accept: 'text/event-stream' },
      signal: signal ? AbortSignal.any([signal, silence.signal]) : silence.signal,
    });
    for await (const chunk of http.body(response, signal)) {
      timer.refresh();
      onHeard();
      parser.feed(decoder.decode(chunk, { stream: true }));
      yield* messages.splice(0);
    }
  } finally {
    clearTimeout(timer);
    // Ends the connection when the reader has had enough.
    silence.abort();
  }
}

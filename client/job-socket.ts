import { once } from 'node:events';
import type { AgentMessage } from '../contracts/agent.ts';
import { type ErrorCode, errorCodes, HelixError } from '../contracts/error.ts';
import type { JobEvent } from '../contracts/event.ts';
import { type SocketMessage, socketMessageSchema, type SocketRequest } from '../contracts/socket.ts';
import type { Http } from './http.ts';
import { Retry } from './retry.ts';
import type { WatchOptions } from './watch-job.ts';

/** A job over one WebSocket: what happens in it, and what is said to its agent. */
export interface JobSocket {
  /** Events as `watchJob` gives them. To be iterated once; leaving the loop ends the connection. */
  events(): AsyncGenerator<JobEvent>;
  /** Resolves when the job has taken the message. Throws what the server said, and `stack.unreachable` when the connection is away or breaks first. */
  tell(message: AgentMessage): Promise<void>;
}

interface Waiting {
  resolve(): void;
  reject(error: HelixError): void;
}

export function openJobSocket(http: Http, jobId: string, options: WatchOptions): JobSocket {
  const waiting = new Map<string, Waiting>();
  let socket: WebSocket | undefined;
  let told = 0;
  const lost = (): HelixError => http.unreachable(new Error('the connection ended'));

  const settle = (message: SocketMessage): void => {
    if (message.type !== 'taken' && message.type !== 'refused') return;
    const waiter = message.id === null ? undefined : waiting.get(message.id);
    waiting.delete(message.id ?? '');
    if (message.type === 'taken') waiter?.resolve();
    else waiter?.reject(new HelixError(knownCode(message.code), message.message));
  };

  return {
    async *events() {
      const retry = new Retry(options);
      let seq = options.after ?? 0;
      for (;;) {
        const inbox = openInbox(`${http.baseUrl.replace(/^http/, 'ws')}/v1/jobs/${jobId}/events?after=${seq}`, settle);
        ({ socket } = inbox);
        try {
          for await (const message of inbox.messages(options.signal)) {
            retry.heard();
            if (message.type === 'end') return;
            if (message.type === 'error') throw new HelixError(knownCode(message.code), message.message);
            if (message.type !== 'event' || message.event.seq <= seq) continue;
            ({ seq } = message.event);
            yield message.event;
          }
          throw lost();
        } catch (error) {
          await retry.wait(error);
        } finally {
          socket.close();
          for (const { reject } of waiting.values()) reject(lost());
          waiting.clear();
        }
      }
    },

    async tell(message) {
      if (socket?.readyState !== WebSocket.OPEN) throw lost();
      const id = String((told += 1));
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      waiting.set(id, { resolve, reject });
      socket.send(JSON.stringify({ id, message } satisfies SocketRequest));
      await promise;
    },
  };
}

/** A connection and what has come over it. `settle` sees each message at once, whether or not somebody reads. */
function openInbox(
  url: string,
  settle: (message: SocketMessage) => void,
): { socket: WebSocket; messages(signal?: AbortSignal): AsyncGenerator<SocketMessage> } {
  const socket = new WebSocket(url);
  const arrived = new EventTarget();
  const inbox: SocketMessage[] = [];
  let isOver = false;
  const wake = (): void => void arrived.dispatchEvent(new Event('change'));
  socket.addEventListener('message', ({ data }) => {
    const message = socketMessageSchema.parse(JSON.parse(String(data)));
    settle(message);
    inbox.push(message);
    wake();
  });
  socket.addEventListener('close', () => {
    isOver = true;
    wake();
  });
  return {
    socket,
    async *messages(signal) {
      for (;;) {
        signal?.throwIfAborted();
        const next = inbox.shift();
        if (next) yield next;
        else if (isOver) return;
        else await once(arrived, 'change', signal ? { signal } : {}).catch(() => signal?.throwIfAborted());
      }
    },
  };
}

function knownCode(code: string): ErrorCode {
  return Object.hasOwn(errorCodes, code) ? (code as ErrorCode) : 'internal';
}

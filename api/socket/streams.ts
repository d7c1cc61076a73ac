import { type AnswerPiece } from '../../contracts/api.ts';
import { HelixError } from '../../contracts/error.ts';
import { type SocketMessage, socketRequestSchema } from '../../contracts/socket.ts';
import type { ApiDeps } from '../deps.ts';
import { eventQuerySchema, readEventFeed, type StreamTimings } from '../event-feed.ts';
import type { JobFeed } from '../job-feed.ts';
import { logOfAnswer, logOfStep, logQuerySchema, readLogFeed } from '../log-feed.ts';
import { parseInput } from '../parse-input.ts';
import { requireJob } from '../require-job.ts';
import { tellAgent } from '../tell-agent.ts';
import type { Connection } from './connection.ts';

export interface StreamContext {
  deps: ApiDeps;
  feed: JobFeed;
  timings: StreamTimings;
}

/** Sends a stream to its end. `args` are the variable parts of the path. */
type Stream = (
  context: StreamContext,
  connection: Connection,
  args: string[],
  query: Record<string, string>,
) => Promise<void>;

/** What there is by WebSocket, at the paths where HTTP has the same. */
export const streams: readonly { path: RegExp; serve: Stream }[] = [
  { path: /^\/v1\/jobs\/([^/]+)\/events$/, serve: serveEvents },
  { path: /^\/v1\/jobs\/([^/]+)\/answers\/([^/]+)$/, serve: serveAnswer },
  { path: /^\/v1\/jobs\/([^/]+)\/steps\/([^/]+)\/log$/, serve: serveLog },
];

async function serveEvents(
  { deps, feed, timings }: StreamContext,
  connection: Connection,
  [job]: string[],
  asked: Record<string, string>,
): Promise<void> {
  const { database, logger } = deps;
  const { jobId } = await requireJob(database, job!);
  const query = parseInput(eventQuerySchema, asked);
  connection.listen(async (text) => {
    const answer = await tell(deps, jobId, text);
    // When the connection has ended meanwhile, nobody hears it.
    await connection.send(answer).catch(() => undefined);
  });
  const source = { database, feed, logger, timings, jobId, ...query };
  for await (const event of readEventFeed(source, connection.signal))
    if (event) await connection.send({ type: 'event', event });
}

/** Hands a message to the job, and says what became of it. */
async function tell(deps: ApiDeps, jobId: string, text: string): Promise<SocketMessage> {
  let id: string | null = null;
  try {
    const value = parseJson(text);
    if (typeof value === 'object' && value !== null && 'id' in value && typeof value.id === 'string') ({ id } = value);
    const request = parseInput(socketRequestSchema, value);
    await tellAgent(deps, jobId, request.message);
    return { type: 'taken', id: request.id };
  } catch (error) {
    if (error instanceof HelixError) return { type: 'refused', id, code: error.code, message: error.message };
    deps.logger.error({ err: error, jobId }, 'a message to a job failed unexpectedly');
    return { type: 'refused', id, code: 'internal', message: 'this is a fault of HelixCode: its log says more' };
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new HelixError('usage.invalid', `a message is one JSON object: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

async function serveLog(
  { deps, feed }: StreamContext,
  connection: Connection,
  [job, step]: string[],
  asked: Record<string, string>,
): Promise<void> {
  const source = await logOfStep(deps, job!, step!);
  const query = parseInput(logQuerySchema, asked);
  connection.listen();
  for await (const chunk of readLogFeed(feed, source, query, connection.signal))
    if (chunk) await connection.send(chunk);
}

async function serveAnswer(
  { deps, feed }: StreamContext,
  connection: Connection,
  [job, callId]: string[],
  asked: Record<string, string>,
): Promise<void> {
  const source = await logOfAnswer(deps, job!, callId!);
  const query = parseInput(logQuerySchema, asked);
  connection.listen();
  let { offset } = query;
  let rest = Buffer.alloc(0);
  for await (const chunk of readLogFeed(feed, source, query, connection.signal)) {
    if (!chunk) continue;
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline)) {
      offset += end + 1;
      const line = rest.toString('utf8', 0, end);
      rest = rest.subarray(end + 1);
      if (line !== '') await connection.send({ type: 'piece', offset, piece: JSON.parse(line) as AnswerPiece });
    }
  }
}

const newline = 0x0a;

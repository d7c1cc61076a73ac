// What goes over the API's WebSockets. `/v1/jobs/ID/events`, `/v1/jobs/ID/answers/CALL` and `/v1/jobs/ID/steps/N/log` take the same queries as by HTTP.
import { z } from 'zod';
import { agentMessageSchema } from './agent.ts';
import { answerPieceSchema } from './api.ts';
import { jobEventSchema } from './event.ts';

/** From the client, where events come: something for the agent. `id` comes back with what became of it. */
export const socketRequestSchema = z.strictObject({ id: z.string().min(1).max(100), message: agentMessageSchema });
export type SocketRequest = z.infer<typeof socketRequestSchema>;

/** From the server, as text. The output of a step comes as binary messages instead, byte for byte. */
export const socketMessageSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('event'), event: jobEventSchema }),
  /** `offset` is where the answer goes on behind this piece, in bytes. */
  z.object({ type: z.literal('piece'), offset: z.number().int(), piece: answerPieceSchema }),
  /** The job has taken the message. */
  z.object({ type: z.literal('taken'), id: z.string() }),
  /** It has not; `id` is null when the message could not be read. */
  z.object({ type: z.literal('refused'), id: z.string().nullable(), code: z.string(), message: z.string() }),
  /** There is nothing more to come: the connection is closed with 1000. */
  z.object({ type: z.literal('end') }),
  /** There is no such stream: the connection is closed with 4000 and the status that HTTP would have answered, e.g. 4404. */
  z.object({ type: z.literal('error'), code: z.string(), message: z.string() }),
]);
export type SocketMessage = z.infer<typeof socketMessageSchema>;

/** Bytes of a message from the client; a larger one closes the connection with 1009. */
export const largestSocketRequest = 1024 * 1024;

import { randomUUID } from 'node:crypto';
import type { HelixClient } from '../../client/client.ts';
import type { AnswerPiece } from '../../contracts/api.ts';
import { HelixError } from '../../contracts/error.ts';
import type { JobEvent, JobEventData } from '../../contracts/event.ts';
import { jobEnded } from './job-ended.ts';

export interface Chat {
  client: HelixClient;
  chatId: string;
  /** Answers the next message and those after it. */
  model?: string;
}

export type Answered = Extract<JobEventData, { type: 'chat.answered' }>;

interface Listener {
  event(event: JobEvent): void | Promise<void>;
  /** A piece of an answer as it comes. */
  piece?(piece: AnswerPiece): void;
  /** The stack is away and is tried again. */
  away?(): void;
}

/**
 * Says something in a chat and follows it until it is answered, however often the stack goes away meanwhile. Returns the end, with all that the
 * agent said last. Throws the signal's reason when aborted: the agent then goes on.
 */
export async function exchange(
  chat: Chat,
  text: string,
  listener: Listener,
  signal: AbortSignal,
): Promise<Answered & { said: string }> {
  const { client, chatId, model } = chat;
  const id = randomUUID();
  const { lastSeq: after } = await client.getJob(chatId);
  await client.say(chatId, { id, text, ...(model === undefined ? {} : { model }) });
  let said = '';
  let answer: Promise<string> | undefined;
  const events = client.watchJob(chatId, { after, signal, onRetry: () => listener.away?.() });
  for await (const event of events) {
    const { data } = event;
    if (data.type === 'model.asked') answer = followed(chat, data.callId, listener, signal);
    if (data.type === 'model.answered') said = (await answer) || data.text;
    await listener.event(event);
    if (data.type === 'chat.answered' && data.messageId === id) return { ...data, said: said || data.text };
  }
  throw jobEnded(await client.getJob(chatId));
}

/** The text of an answer, told piece by piece. What cannot be read of it comes with its end. */
async function followed(
  { client, chatId }: Chat,
  callId: string,
  listener: Listener,
  signal: AbortSignal,
): Promise<string> {
  let text = '';
  try {
    for await (const piece of client.followAnswer(chatId, callId, { signal })) {
      if (piece.type === 'restarted') text = '';
      if (piece.type === 'text') text += piece.text;
      listener.piece?.(piece);
    }
    return text;
  } catch (error) {
    if (error instanceof HelixError || signal.aborted) return '';
    throw error;
  }
}

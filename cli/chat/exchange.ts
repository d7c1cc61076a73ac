import { randomUUID } from 'node:crypto';
import type { HelixClient } from '../../client/client.ts';
import type { AnswerPiece } from '../../contracts/api.ts';
import type { Attachment } from '../../contracts/attachment.ts';
import { HelixError } from '../../contracts/error.ts';
import type { JobEvent, JobEventData } from '../../contracts/event.ts';
import type { ReasoningChoice } from '../../contracts/reasoning.ts';
import { jobEnded } from './job-ended.ts';

export interface Chat {
  client: HelixClient;
  chatId: string;
  /** Answers the next message and those after it. */
  model?: string;
  /** Go along with the next message. */
  attachments?: Attachment[];
  /** How the next message and those after it are answered. */
  reasoning?: ReasoningChoice;
}

export type Answered = Extract<JobEventData, { type: 'chat.answered' }>;

interface Listener {
  event(event: JobEvent): void | Promise<void>;
  /** A piece of an answer as it comes; not of steps of reasoning, of which several come at once. */
  piece?(piece: AnswerPiece): void;
  /** The stack is away and is tried again. */
  away?(): void;
}

/**
 * Says something in a chat and follows it until it is answered, however often the stack goes away meanwhile. Returns the end, with all that the
 * agent said last, and whether the listener was told it piece by piece. Throws the signal's reason when aborted: the agent then goes on.
 */
export async function exchange(
  chat: Chat,
  text: string,
  listener: Listener,
  signal: AbortSignal,
): Promise<Answered & { said: string; wasTold: boolean }> {
  const { client, chatId, model, reasoning } = chat;
  const id = randomUUID();
  const { lastSeq: after } = await client.getJob(chatId);
  await client.say(chatId, {
    id,
    text,
    ...(model === undefined ? {} : { model }),
    ...(chat.attachments ? { attachments: chat.attachments } : {}),
    ...(reasoning === undefined ? {} : { reasoning: { strategy: reasoning } }),
  });
  const following = new Map<string, Promise<string>>();
  const answers: { said: string; wasTold: boolean }[] = [];
  const events = client.watchJob(chatId, { after, signal, onRetry: () => listener.away?.() });
  for await (const event of events) {
    const { data } = event;
    if (data.type === 'model.asked') {
      const told = data.step === undefined ? listener : undefined;
      following.set(data.callId, followed(chat, data.callId, told, signal));
    }
    if (data.type === 'model.answered') {
      const said = (await following.get(data.callId)) || data.text;
      answers.push({ said, wasTold: data.step === undefined });
    }
    await listener.event(event);
    if (data.type === 'chat.answered' && data.messageId === id) {
      // The last words are not always the answer: a critique may have come after it.
      const answer = answers.findLast(({ said }) => said.trim().startsWith(data.text.trim()));
      return { ...data, said: answer?.said || data.text, wasTold: answer?.wasTold ?? false };
    }
  }
  throw jobEnded(await client.getJob(chatId));
}

/** The text of an answer, told piece by piece. What cannot be read of it comes with its end. */
async function followed(
  { client, chatId }: Chat,
  callId: string,
  listener: Listener | undefined,
  signal: AbortSignal,
): Promise<string> {
  let text = '';
  try {
    for await (const piece of client.followAnswer(chatId, callId, { signal })) {
      if (piece.type === 'restarted') text = '';
      if (piece.type === 'text') text += piece.text;
      listener?.piece?.(piece);
    }
    return text;
  } catch (error) {
    if (error instanceof HelixError || signal.aborted) return '';
    throw error;
  }
}

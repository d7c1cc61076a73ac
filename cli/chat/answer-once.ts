import { printJsonLine } from '../output.ts';
import { clean } from '../text/clean.ts';
import { describeEvent } from '../view/describe-event.ts';
import { type Chat, exchange } from './exchange.ts';

const exitCodes = { done: 0, stopped: 4, limit: 1, refused: 1, failed: 1 } as const;
const interruptedExitCode = 130;

/** One message and its answer, for scripts: the answer on stdout, what happens meanwhile on stderr, or all as JSON lines. Returns the exit code. */
export async function answerOnce(chat: Chat, text: string, json: boolean): Promise<number> {
  const { client, chatId } = chat;
  const detach = new AbortController();
  process.once('SIGINT', () => detach.abort());
  process.stderr.write(`${chatId}: "helix chat --resume ${chatId}" goes on with it\n`);
  try {
    const {
      type: _,
      wasTold: __,
      ...answered
    } = await exchange(
      chat,
      text,
      {
        event({ data, seq, at, jobId }) {
          if (json) printJsonLine({ ...data, jobId, seq, at });
          else if (data.type !== 'model.answered') {
            const line = describeEvent({ data, seq, at, jobId });
            if (line !== undefined) process.stderr.write(`${line}\n`);
          }
        },
      },
      detach.signal,
    );
    const branch = await client.publish(chatId);
    if (json) printJsonLine({ ...answered, type: 'result', chatId, branch });
    else process.stdout.write(`${clean(answered.said).trimEnd()}\n`);
    if (branch !== null) process.stderr.write(`the changes are on the branch ${branch}\n`);
    return exitCodes[answered.status];
  } catch (error) {
    if (!detach.signal.aborted) throw error;
    process.stderr.write(`\nleft: ${chatId} goes on; "helix stop ${chatId}" stops it\n`);
    return interruptedExitCode;
  }
}

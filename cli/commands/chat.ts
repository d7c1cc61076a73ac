import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import type { HelixClient } from '../../client/client.ts';
import type { Attachment } from '../../contracts/attachment.ts';
import { HelixError } from '../../contracts/error.ts';
import { isFinalJobStatus } from '../../contracts/derived.ts';
import { answerOnce } from '../chat/answer-once.ts';
import { ChatPrompt } from '../chat/prompt.ts';
import { connectOrStart, type GlobalOptions } from '../connect.ts';
import { addAgentOptions, type AgentOptions, parseReasoning } from '../job/agent-options.ts';
import { attached, readFiles } from '../job/attached-files.ts';
import { buildRequest } from '../job/build-request.ts';

interface Options extends GlobalOptions, AgentOptions {
  repo?: string;
  ref?: string;
  resume?: string;
  json?: boolean;
}

export function configure(command: Command): void {
  addAgentOptions(command)
    .option('--repo <path-or-url>', 'the repository (default: the one you are in)')
    .option('--ref <ref>', 'branch, tag or commit; without it a local repository is taken with its uncommitted work')
    .option('--resume <chat>', 'go on with a chat')
    .option('--json', 'read one message from the standard input, and print one JSON object per line, the result last')
    .addHelpText('after', '\nWithout a terminal, all of the standard input is one message.')
    .action(async () => {
      const options = command.optsWithGlobals<Options>();
      const isInteractive = !options.json && process.stdin.isTTY && process.stdout.isTTY;
      const message = isInteractive ? '' : (await text(process.stdin)).trim();
      if (!isInteractive && message === '')
        throw new HelixError('usage.invalid', 'there is nothing to say: write the message to the standard input');
      const files = await readFiles(options.attach);
      const client = await connectOrStart(options);
      const given = await attached(client, files);
      const chatId =
        options.resume === undefined ? await begin(client, options, given) : await resume(client, options.resume);
      const spoken = {
        client,
        chatId,
        ...given,
        ...(options.resume !== undefined && options.model ? { model: options.model } : {}),
        ...(options.resume !== undefined && options.reasoning
          ? { reasoning: parseReasoning('--reasoning', options.reasoning) }
          : {}),
      };
      process.exitCode = isInteractive
        ? await new ChatPrompt(spoken).run()
        : await answerOnce(spoken, message, options.json === true);
    });
}

async function begin(client: HelixClient, options: Options, given: { attachments?: Attachment[] }): Promise<string> {
  // What a chat's agent runs counts as building.
  const rest = { modes: 'building', recipe: [], env: [], cache: true };
  const request = await buildRequest(undefined, options.repo ?? '.', { ...rest, ...options });
  // Files go with the first message; named here, they are seen to fit the model before there is a chat.
  return (await client.startJob({ ...request, ...given, kind: 'chat' })).jobId;
}

/** A chat that has ended goes on in a new one. */
async function resume(client: HelixClient, chatId: string): Promise<string> {
  const { status, request } = await client.getJob(chatId);
  if (request.kind !== 'chat') throw new HelixError('job.wrong-state', `${chatId} is a job and not a chat`);
  if (!isFinalJobStatus(status)) return chatId;
  const { jobId } = await client.forkChat(chatId);
  process.stderr.write(`${chatId} has ended: ${jobId} goes on from it\n`);
  return jobId;
}

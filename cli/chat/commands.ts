import { isAbsolute } from 'node:path';
import { chatUndoSchema } from '../../contracts/chat.ts';
import { HelixError } from '../../contracts/error.ts';
import type { Checkpoint } from '../../contracts/job.ts';
import { reasoningChoiceSchema } from '../../contracts/reasoning.ts';
import { parseReasoning } from '../job/agent-options.ts';
import { attached, readFiles } from '../job/attached-files.ts';
import { usageOf } from '../job/usage-of.ts';
import { cleanLine } from '../text/clean.ts';
import { colourPatch } from '../text/colour-patch.ts';
import { describeUsage } from '../text/spending.ts';
import type { Chat } from './exchange.ts';

/** A chat at its prompt. Commands change which chat it is and which model answers. */
export interface ChatAtPrompt extends Chat {
  /** The checkpoint up to which changes are in the user's working tree. */
  applied: string;
}

interface SlashCommand {
  usage: string;
  summary: string;
  run(chat: ChatAtPrompt, args: string[]): Promise<string>;
}

/** What begins with a slash is for HelixCode and not for the agent. Each returns what is to be shown. */
export const slashCommands: Readonly<Record<string, SlashCommand>> = {
  undo: {
    usage: '/undo [checkpoint] [code|conversation]',
    summary: 'go back to before the last message or to a checkpoint, with files and conversation or one of them',
    async run({ client, chatId }, args) {
      const { checkpoints } = await client.getJob(chatId);
      const what = args.find((arg) => arg === 'code' || arg === 'conversation') ?? 'both';
      const checkpointId = args.find((arg) => arg !== what) ?? previousCheckpoint(checkpoints);
      if (checkpointId === undefined) return 'there is nothing to undo';
      const undo = chatUndoSchema.safeParse({ checkpointId, what });
      if (!undo.success) throw new HelixError('usage.invalid', `"${checkpointId}" is no checkpoint: they look like c1`);
      await client.undo(chatId, undo.data);
      return `back to ${checkpointId}${what === 'both' ? '' : ` (${what} only)`}`;
    },
  },
  checkpoints: {
    usage: '/checkpoints',
    summary: 'list what can be gone back to',
    async run({ client, chatId }) {
      const { checkpoints } = await client.getJob(chatId);
      return checkpoints.map(({ id, title }) => `${id.padEnd(4)} ${cleanLine(title)}`).join('\n');
    },
  },
  diff: {
    usage: '/diff [checkpoint]',
    summary: 'show what has changed since the source or a checkpoint',
    async run({ client, chatId }, [since]) {
      const patch = await client.readChanges(chatId, since);
      return patch.length === 0 ? 'nothing has changed' : colourPatch(patch.toString('utf8')).trimEnd();
    },
  },
  apply: {
    usage: '/apply',
    summary: 'put the changes into your working tree',
    async run(chat) {
      const { client, chatId } = chat;
      const { request, checkpoints } = await client.getJob(chatId);
      const { location } = request.source;
      if (!isAbsolute(location))
        throw new HelixError(
          'usage.invalid',
          `the source is remote: "helix apply ${chatId} --repo PATH" says where to`,
        );
      const patch = await client.readChanges(chatId, chat.applied);
      const { applyPatch } = await import('../../snapshots/apply.ts');
      const { files } = await applyPatch(location, patch);
      chat.applied = checkpoints.at(-1)!.id;
      return `${files} ${files === 1 ? 'file' : 'files'} changed in ${location}`;
    },
  },
  branch: {
    usage: '/branch',
    summary: 'put the changes on the branch of this chat; leaving does it too',
    async run({ client, chatId }) {
      const branch = await client.publish(chatId);
      return branch === null ? 'there is nothing to put on a branch' : `the changes are on the branch ${branch}`;
    },
  },
  fork: {
    usage: '/fork [checkpoint]',
    summary: 'go on in a new chat and leave this one as it is',
    async run(chat, [checkpointId]) {
      const before = chat.chatId;
      const { jobId } = await chat.client.forkChat(before, checkpointId === undefined ? {} : { checkpointId });
      chat.chatId = jobId;
      return `this is ${jobId} now; ${before} stays as it is`;
    },
  },
  model: {
    usage: '/model [provider/model]',
    summary: 'let another model answer from the next message on, or list them',
    async run(chat, [name]) {
      if (name !== undefined) {
        chat.model = name;
        return `${name} answers from the next message on`;
      }
      const { providers } = await chat.client.listModels();
      const models = providers.filter(({ configured }) => configured).flatMap((provider) => provider.models);
      return models.map(({ provider, id }) => `${provider}/${id}`).join('\n') || 'no provider is configured';
    },
  },
  reasoning: {
    usage: '/reasoning strategy',
    summary: `from the next message on, come to answers by one of: ${reasoningChoiceSchema.options.join(', ')}`,
    run(chat, [name = '']) {
      chat.reasoning = parseReasoning('/reasoning', name);
      return Promise.resolve(`${chat.reasoning} from the next message on`);
    },
  },
  attach: {
    usage: '/attach file',
    summary: 'give an image or a text along with the next message',
    async run(chat, args) {
      const before = chat.attachments ?? [];
      if (args.length > 0) {
        const { attachments = [] } = await attached(chat.client, await readFiles([args.join(' ')]));
        chat.attachments = [...before, ...attachments];
      }
      const names = (chat.attachments ?? []).map(({ name }) => cleanLine(name)).join(', ');
      return names === '' ? 'nothing is attached: /attach FILE' : `with the next message: ${names}`;
    },
  },
  cost: {
    usage: '/cost',
    summary: 'show what this chat has cost',
    async run({ client, chatId }) {
      const usage = await usageOf(client, chatId);
      return usage ? describeUsage(usage) : 'no model was asked yet';
    },
  },
  help: {
    usage: '/help',
    summary: 'show this list',
    run: () =>
      Promise.resolve(
        [...Object.values(slashCommands), { usage: '/exit', summary: 'leave; the chat stays and can be resumed' }]
          .map(({ usage, summary }) => `${usage.padEnd(40)} ${summary}`)
          .join('\n'),
      ),
  },
};

const wentBack = /^Back to (c\d+)/;

/** The checkpoint before the last message that still counts; undefined at the source. */
export function previousCheckpoint(checkpoints: readonly Checkpoint[]): string | undefined {
  let index = checkpoints.length - 1;
  for (;;) {
    const target = wentBack.exec(checkpoints[index]?.title ?? '')?.[1];
    const found = checkpoints.findIndex(({ id }) => id === target);
    if (found < 0) return checkpoints[index - 1]?.id;
    index = found;
  }
}

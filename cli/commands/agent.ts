import type { Command } from 'commander';
import type { HelixClient } from '../../client/client.ts';
import type { AgentMessage } from '../../contracts/agent.ts';
import { HelixError } from '../../contracts/error.ts';
import { connect, type GlobalOptions } from '../connect.ts';
import { parseBudget, parseRule } from '../job/agent-options.ts';
import { attached, attachOption, readFiles } from '../job/attached-files.ts';
import { sayDone } from '../say-done.ts';

interface AgentCommand {
  configure(command: Command): void;
}

type Options = GlobalOptions & {
  json?: boolean;
  reason?: string;
  attach?: string[];
  always?: string;
  usd?: string;
  tokens?: string;
  minutes?: string;
  agent?: string;
};

/** A command that says something to the agent of a job. */
function agentCommand(
  action: string,
  text: string,
  extend: (command: Command) => Command,
  message: (args: string[], options: Options, client: HelixClient) => AgentMessage | Promise<AgentMessage>,
): AgentCommand {
  return {
    configure(command) {
      extend(command.argument('<job>', 'id of the job'))
        .option('--agent <name>', 'only the agent of this work item, where several work at once')
        .option('--json', 'print the answer as JSON')
        .action(async (jobId: string) => {
          const options = command.optsWithGlobals<Options>();
          const client = await connect(options);
          const { agent } = options;
          await client.tellAgent(jobId, {
            ...(await message(command.args.slice(1), options, client)),
            ...(agent === undefined ? {} : { agent }),
          });
          sayDone({ jobId, action, text, json: options.json });
        });
    },
  };
}

const ofCall = (command: Command): Command => command.argument('<call>', 'id of the call, as "helix watch" shows it');

export const allow = agentCommand(
  'allow',
  'goes on: the call is allowed',
  (command) => ofCall(command).option('--always <rule>', 'and whatever fits this rule, e.g. "run:npm *"'),
  ([callId], { always }) => ({
    type: 'decide',
    callId: callId!,
    allowed: true,
    ...(always === undefined ? {} : { always: parseRule('--always', 'allow', always) }),
  }),
);

export const deny = agentCommand(
  'deny',
  'goes on without the call',
  (command) => ofCall(command).option('--reason <text>', 'why, for the agent'),
  ([callId], { reason }) => ({
    type: 'decide',
    callId: callId!,
    allowed: false,
    ...(reason === undefined ? {} : { reason }),
  }),
);

export const answer = agentCommand(
  'answer',
  'has the answer',
  (command) => ofCall(command).argument('<text>', 'the answer'),
  ([callId, text]) => ({ type: 'answer', callId: callId!, answer: text! }),
);

export const tell = agentCommand(
  'tell',
  'hears it before its next step',
  (command) =>
    command
      .argument('<text>', 'what the agent is to know or do')
      .option(...attachOption, (path: string, before: string[]) => [...before, path], []),
  async ([text], { attach = [] }, client) => ({
    type: 'steer',
    text: text!,
    ...(await attached(client, await readFiles(attach))),
  }),
);

export const stop = agentCommand(
  'stop',
  'stops its agents; what they have done is kept',
  (command) => command,
  () => ({ type: 'stop' }),
);

export const budget = agentCommand(
  'budget',
  'has more to spend',
  (command) =>
    command
      .option('--usd <dollars>', 'by how many dollars')
      .option('--tokens <number>', 'by how many tokens')
      .option('--minutes <number>', 'by how many minutes'),
  (_, { usd, tokens, minutes }) => {
    const by = parseBudget({
      ...(usd === undefined ? {} : { budget: usd }),
      ...(tokens === undefined ? {} : { budgetTokens: tokens }),
      ...(minutes === undefined ? {} : { budgetMinutes: minutes }),
    });
    if (!by) throw new HelixError('usage.invalid', 'by how much? Give --usd, --tokens or --minutes');
    return { type: 'raise-budget', by };
  },
);

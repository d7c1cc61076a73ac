import { z } from 'zod';
import type { Command } from '../../contracts/step.ts';
import { commandContext } from '../command-context.ts';
import { normalPath } from './workspace.ts';
import { defineTool } from './tool.ts';
import type { Access, Outcome, PendingWork, ToolContext, ToolResult } from './tool.ts';

const timeout = z.number().int().min(1).max(86_400).optional().describe('When it is ended; 600 when left out');

export const runTool = defineTool({
  name: 'run',
  description:
    'Runs a shell command (sh) in the workspace on a machine that fits, without terminal and input, and gives its output and exit code. What it changes in the workspace is kept, files that git ignores are not. Nothing it starts outlives it.',
  parameters: z.strictObject({
    command: z.string().min(1).max(20_000),
    cwd: z.string().min(1).optional().describe('Folder to run in; the root when left out'),
    timeoutSeconds: timeout,
  }),
  accesses: ({ command, cwd }, context) => runs(inFolder(command, cwd), context),
  summary: ({ command }) => `run ${command}`,
  async execute({ command, cwd = '.', timeoutSeconds }) {
    return { pending: step(`run ${command}`, { shell: command, cwd: normalPath(cwd) }, timeoutSeconds) };
  },
  resume: (_args, outcome, context) => stepResult(outcome, context),
});

export const testTool = defineTool({
  name: 'test',
  description:
    'Runs the project\'s tests and gives their output and exit code. Without "command" it is the project\'s own test command; give one to run some of them only.',
  parameters: z.strictObject({
    command: z.string().min(1).max(20_000).optional(),
    timeoutSeconds: timeout,
  }),
  accesses: ({ command }, context) => {
    const { testCommand } = context;
    return runs(command ?? (testCommand ? inFolder(testCommand.shell, testCommand.cwd) : ''), context);
  },
  summary: ({ command }) => (command === undefined ? 'test' : `test ${command}`),
  async execute({ command, timeoutSeconds }, { testCommand }) {
    const chosen = command === undefined ? testCommand : { shell: command, cwd: '.' };
    if (!chosen) {
      const content =
        'No test command is known for this project: give "command", or make tests and a way to run them first.';
      return { result: { content: [{ type: 'text', text: content }], isError: true } };
    }
    return { pending: step(`test: ${chosen.shell}`, chosen, timeoutSeconds) };
  },
  resume: (_args, outcome, context) => stepResult(outcome, context),
});

async function runs(command: string, context: ToolContext): Promise<Access[]> {
  return [{ kind: 'run', command, ...(await commandContext(context, context.permissions, command)) }];
}

// Rules see the paths of a command as they are from the workspace's root.
function inFolder(command: string, cwd: string | undefined): string {
  return cwd === undefined || /^[./]*$/.test(cwd) ? command : `cd '${cwd.replaceAll("'", "'\\''")}' && ${command}`;
}

function step(title: string, command: Command, timeoutSeconds = 600): PendingWork {
  return { type: 'step', title: title.replace(/\s+/g, ' ').slice(0, 200), command, timeoutMs: timeoutSeconds * 1_000 };
}

async function stepResult(outcome: Outcome, { blobs }: ToolContext): Promise<ToolResult> {
  if (outcome.type !== 'step') throw new TypeError(`a command ended in a ${outcome.type}`);
  const { end, exitCode, snapshot, log, message } = outcome;
  const blob = log === undefined ? undefined : await blobs.get(log);
  const output = blob ? printed(blob) : '';
  const ending =
    end === 'exited' ? `exit code ${exitCode}` : `ended: ${end}${exitCode === null ? '' : `, exit code ${exitCode}`}`;
  const words = [ending, ...(message ? [message] : [])].join('\n');
  const isError = end !== 'exited' || exitCode !== 0;
  return {
    content: [{ type: 'text', text: `${words}\n${output.trim() === '' ? '(no output)' : output}` }],
    isError,
    snapshot,
    note: ending,
  };
}

/** What a terminal would show in the end: without colours, and with lines that are drawn over themselves only once. */
function printed(log: Buffer): string {
  return log
    .toString()
    .replace(/\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b[@-Z\\-_]/g, '')
    .replace(/\r\n/g, '\n')
    .replace(/[^\n\r]*\r(?!\n)/g, '');
}

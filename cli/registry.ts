import type { Command } from 'commander';

export interface CommandModule {
  /** Adds the arguments, options and action of the command. */
  configure(command: Command): void;
}

interface CommandEntry {
  name: string;
  /** One line, shown by `helix --help` without loading the command. */
  summary: string;
  load(): Promise<CommandModule>;
}

/** Every command, in the order in which help shows them. To add one is to add a file and a line here. */
export const commands: readonly CommandEntry[] = [
  {
    name: 'start',
    summary: 'start the stack and run a job, on the sample repository unless told otherwise',
    load: () => import('./commands/start.ts'),
  },
  { name: 'up', summary: 'start the stack', load: () => import('./commands/up.ts') },
  {
    name: 'down',
    summary: 'stop the stack; jobs go on when it is started again',
    load: () => import('./commands/down.ts'),
  },
  { name: 'status', summary: 'list the processes of the stack', load: () => import('./commands/status.ts') },
  { name: 'run', summary: 'run a job on a repository', load: () => import('./commands/run.ts') },
  {
    name: 'chat',
    summary: 'talk with an agent about a repository, message by message',
    load: () => import('./commands/chat.ts'),
  },
  { name: 'jobs', summary: 'list jobs, newest first', load: () => import('./commands/jobs.ts') },
  {
    name: 'show',
    summary: 'show a job with its phases, steps and checkpoints',
    load: () => import('./commands/show.ts'),
  },
  { name: 'logs', summary: "print the output of a job's steps", load: () => import('./commands/logs.ts') },
  { name: 'watch', summary: 'follow a job until it ends', load: () => import('./commands/watch.ts') },
  {
    name: 'approve',
    summary: 'approve the plan of a job that waits for it',
    load: async () => (await import('./commands/messages.ts')).approve,
  },
  {
    name: 'reject',
    summary: 'reject the plan of a job that waits for approval',
    load: () => import('./commands/reject.ts'),
  },
  {
    name: 'pause',
    summary: 'let a job start nothing more until it is resumed',
    load: async () => (await import('./commands/messages.ts')).pause,
  },
  {
    name: 'resume',
    summary: 'let a paused job go on',
    load: async () => (await import('./commands/messages.ts')).resume,
  },
  {
    name: 'cancel',
    summary: 'cancel a job and end its commands',
    load: async () => (await import('./commands/messages.ts')).cancel,
  },
  {
    name: 'rollback',
    summary: 'put a job back to one of its checkpoints',
    load: () => import('./commands/rollback.ts'),
  },
  {
    name: 'allow',
    summary: 'allow what the agent of a job asks for',
    load: async () => (await import('./commands/agent.ts')).allow,
  },
  {
    name: 'deny',
    summary: 'refuse what the agent of a job asks for',
    load: async () => (await import('./commands/agent.ts')).deny,
  },
  {
    name: 'answer',
    summary: 'answer a question of the agent of a job',
    load: async () => (await import('./commands/agent.ts')).answer,
  },
  {
    name: 'tell',
    summary: 'tell the agents of a job something while they work',
    load: async () => (await import('./commands/agent.ts')).tell,
  },
  {
    name: 'stop',
    summary: 'stop the agents of a job and keep what they have done',
    load: async () => (await import('./commands/agent.ts')).stop,
  },
  {
    name: 'budget',
    summary: 'raise what the agents of a job may spend',
    load: async () => (await import('./commands/agent.ts')).budget,
  },
  {
    name: 'usage',
    summary: 'show what calls of language models took: tokens, cache hits, money',
    load: () => import('./commands/usage.ts'),
  },
  { name: 'diff', summary: 'print what a job has changed, as a patch', load: () => import('./commands/diff.ts') },
  { name: 'apply', summary: "apply a job's changes to your working tree", load: () => import('./commands/apply.ts') },
  {
    name: 'login',
    summary: 'log in to a provider of language models with a browser',
    load: () => import('./commands/login.ts'),
  },
  { name: 'models', summary: 'list language models, and ask one', load: () => import('./commands/models.ts') },
  {
    name: 'nodes',
    summary: 'list, add, probe, drain and remove the machines that run steps',
    load: () => import('./commands/nodes.ts'),
  },
  {
    name: 'node',
    summary: 'make this machine a node by itself: "helix node join"',
    load: () => import('./commands/node.ts'),
  },
  {
    name: 'classes',
    summary: 'list what steps ask of nodes, and say who has it',
    load: () => import('./commands/classes.ts'),
  },
];

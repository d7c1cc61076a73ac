import type { Command } from 'commander';
import type { GlobalOptions } from '../connect.ts';
import { collect } from '../collect.ts';
import { addAgentOptions, type AgentOptions } from './agent-options.ts';

/** The options of `run` and `start` as commander gives them. */
export interface RequestOptions extends GlobalOptions, Omit<AgentOptions, 'model'> {
  repo?: string;
  ref?: string;
  modes?: string;
  recipe: string[];
  approve?: boolean;
  nodeClass?: string;
  cores?: string;
  memory?: string;
  exclusive?: boolean;
  priority?: string;
  env: string[];
  stepTimeout?: string;
  nodeWait?: string;
  idempotencyKey?: string;
  /** False for --no-model. */
  model?: string | false;
  parallelAgents?: string;
  /** False for --no-cache. */
  cache: boolean;
  cacheFailures?: boolean;
  detach?: boolean;
  json?: boolean;
}

export function addRequestOptions(command: Command, defaultRepository: string): Command {
  return addAgentOptions(command.argument('[goal]', 'what is to be reached, in your words'))
    .option('--repo <path-or-url>', `the repository (default: ${defaultRepository})`)
    .option('--ref <ref>', 'branch, tag or commit; without it a local repository is taken with its uncommitted work')
    .option('--modes <list>', 'which of planning,building,testing,refactoring (default: all)')
    .option(
      '--recipe <name:args>',
      'a refactoring, e.g. rename-symbol:OLD=NEW; may be given several times',
      collect,
      [],
    )
    .option('--approve', 'wait for an approval of the plan')
    .option('--no-model', 'ask no model, only do what needs none')
    .option('--parallel-agents <number>', 'how many agents may work at once on parts of the goal')
    .option('--node-class <class>', 'what every step needs of its node, e.g. "linux && node>=22"')
    .option('--cores <number>', 'how many processors every step takes')
    .option('--memory <size>', 'how much memory every step takes, e.g. 4GiB')
    .option('--exclusive', 'run every step alone on its node')
    .option('--priority <priority>', 'whose steps go first: low, normal, high or critical (default: normal)')
    .option('--env <name=value>', 'a variable for every step; may be given several times', collect, [])
    .option('--step-timeout <time>', 'limit for each step, e.g. 90s, 30m, 2h')
    .option('--node-wait <time>', 'how long a step may wait for a node that fits')
    .option('--idempotency-key <key>', 'two jobs with the same key are one')
    .option('--no-cache', 'run every step, whatever was run before')
    .option('--cache-failures', 'keep and reuse results of failed steps too')
    .option('--detach', 'print the id of the job and leave it running')
    .option('--json', 'print one JSON object per line, the result last');
}

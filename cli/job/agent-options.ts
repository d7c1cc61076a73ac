import type { Command } from 'commander';
import type { Budget, PermissionMode, PermissionRule } from '../../contracts/agent.ts';
import { HelixError } from '../../contracts/error.ts';
import type { JobRequest } from '../../contracts/job.ts';
import { type ReasoningChoice, reasoningChoiceSchema } from '../../contracts/reasoning.ts';
import { collect } from '../collect.ts';
import { attachOption } from './attached-files.ts';

/** What `run`, `start` and `chat` have in common, as commander gives it. */
export interface AgentOptions {
  model?: string;
  fallback?: string;
  reasoning?: string;
  permissions?: string;
  allow: string[];
  deny: string[];
  attach: string[];
  budget?: string;
  budgetTokens?: string;
  budgetMinutes?: string;
}

export function addAgentOptions(command: Command): Command {
  return command
    .option('--model <provider/model>', 'the language model, or auto (default: the configured one)')
    .option('--fallback <provider/model>', 'tried when that model fails; several with commas')
    .option(
      '--reasoning <strategy>',
      `how the agent comes to its answers: ${reasoningChoiceSchema.options.join(', ')} (default: the configured one, which is direct)`,
    )
    .option(
      '--permissions <mode>',
      'what the agent may do unasked: plan, ask, accept-edits, auto, full (default: auto)',
    )
    .option('--allow <rule>', 'allow the agent, e.g. "run:npm *", "edit:src/**", "fetch:example.com"', collect, [])
    .option('--deny <rule>', 'forbid the agent, in the same form; stands above everything', collect, [])
    .option(...attachOption, collect, [])
    .option('--budget <dollars>', 'what the models may cost in all; the agents pause there')
    .option('--budget-tokens <number>', 'how many tokens the models may use in all')
    .option('--budget-minutes <number>', 'how long the agents may work in all');
}

/** What the options say of agents; the files to attach apart. Throws `usage.invalid`. */
export function agentRequest(
  options: Omit<AgentOptions, 'model'> & { model?: string | false },
): Pick<JobRequest, 'model' | 'fallbackModels' | 'permissions' | 'budget' | 'reasoning'> {
  const { model, permissions, allow, deny } = options;
  const rules = [
    ...allow.map((text) => parseRule('--allow', 'allow', text)),
    ...deny.map((text) => parseRule('--deny', 'deny', text)),
  ];
  const budget = parseBudget(options);
  return {
    ...(model === undefined ? {} : { model: model === false ? null : model }),
    ...(options.fallback === undefined
      ? {}
      : { fallbackModels: options.fallback.split(',').map((name) => name.trim()) }),
    ...(permissions === undefined && rules.length === 0
      ? {}
      : { permissions: { mode: (permissions ?? 'auto') as PermissionMode, rules } }),
    ...(budget ? { budget } : {}),
    ...(options.reasoning === undefined
      ? {}
      : { reasoning: { strategy: parseReasoning('--reasoning', options.reasoning) } }),
  };
}

/** What is ruled, whatever tool does it, and what stands behind the `:`. */
const subjects = {
  read: ['read', 'path'],
  edit: ['edit', 'path'],
  run: ['run', 'command'],
  fetch: ['network', 'host'],
} as const;

/** `run:npm *`, `edit:src/**`, `read:secrets/**`, `fetch:example.com`, or one of these words alone, or a tool's name. Throws `usage.invalid`. */
export function parseRule(option: string, decision: PermissionRule['decision'], text: string): PermissionRule {
  const colon = text.indexOf(':');
  const word = (colon < 0 ? text : text.slice(0, colon)).trim();
  const what = colon < 0 ? undefined : text.slice(colon + 1).trim();
  if (Object.hasOwn(subjects, word) && what !== '') {
    const [kind, member] = subjects[word as keyof typeof subjects];
    return { decision, kind, ...(what === undefined ? {} : { [member]: what }) };
  }
  if (what === undefined && /^[a-z][a-z-]*$/.test(word)) return { decision, tool: word };
  throw new HelixError(
    'usage.invalid',
    `${option} takes WHAT:PATTERN with read, edit, run or fetch for WHAT, e.g. "run:npm *", "edit:src/**", "fetch:example.com", or the name of a tool: "${text}" is neither`,
  );
}

/** `where` is the option or command that named it. Throws `usage.invalid`. */
export function parseReasoning(where: string, name: string): ReasoningChoice {
  const strategy = reasoningChoiceSchema.safeParse(name);
  if (strategy.success) return strategy.data;
  throw new HelixError(
    'usage.invalid',
    `${where} takes one of ${reasoningChoiceSchema.options.join(', ')}, not "${name}"`,
  );
}

/** Throws `usage.invalid`. */
export function parseParallelAgents(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= 50) return number;
  throw new HelixError('usage.invalid', `--parallel-agents takes a whole number from 1 to 50, not "${text}"`);
}

/** Undefined when no limit is given. Throws `usage.invalid`. */
export function parseBudget(options: {
  budget?: string;
  budgetTokens?: string;
  budgetMinutes?: string;
}): Budget | undefined {
  const budget: Budget = {
    ...limit('usd', '--budget', options.budget),
    ...limit('tokens', '--budget-tokens', options.budgetTokens),
    ...limit('minutes', '--budget-minutes', options.budgetMinutes),
  };
  return Object.keys(budget).length > 0 ? budget : undefined;
}

function limit(name: keyof Budget, option: string, text: string | undefined): Budget {
  if (text === undefined) return {};
  const value = Number(text.replace(/^\$/, ''));
  if (Number.isFinite(value) && value > 0 && (name !== 'tokens' || Number.isInteger(value))) return { [name]: value };
  throw new HelixError(
    'usage.invalid',
    `${option} takes a ${name === 'tokens' ? 'whole ' : ''}number above zero, not "${text}": without the option there is no limit`,
  );
}

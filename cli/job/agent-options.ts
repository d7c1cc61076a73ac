import type { Budget, PermissionRule } from '../../contracts/agent.ts';
import { HelixError } from '../../contracts/error.ts';
import { type ReasoningChoice, reasoningChoiceSchema } from '../../contracts/reasoning.ts';

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

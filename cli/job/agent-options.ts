import type { Budget, PermissionRule } from '../../contracts/agent.ts';
import { HelixError } from '../../contracts/error.ts';

/** What stands behind the `:` of a rule, by tool. */
const subjects: Readonly<Record<string, 'command' | 'path' | 'host'>> = {
  run: 'command',
  test: 'command',
  fetch: 'host',
};

/** `run:npm *`, `edit:src/**`, `fetch:example.com`, or a tool alone. Throws `usage.invalid`. */
export function parseRule(option: string, decision: PermissionRule['decision'], text: string): PermissionRule {
  const colon = text.indexOf(':');
  const tool = (colon < 0 ? text : text.slice(0, colon)).trim();
  const subject = colon < 0 ? undefined : text.slice(colon + 1).trim();
  if (!/^[a-z-]+$/.test(tool) || subject === '')
    throw new HelixError(
      'usage.invalid',
      `${option} takes TOOL or TOOL:WHAT, e.g. "run:npm *", "edit:src/**", "fetch:example.com": "${text}" is neither`,
    );
  return { decision, tool, ...(subject === undefined ? {} : { [subjects[tool] ?? 'path']: subject }) };
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

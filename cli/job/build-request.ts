import { osUser } from '../../config/os-user.ts';
import { parseCapabilityClass } from '../../contracts/capability-class.ts';
import { HelixError } from '../../contracts/error.ts';
import { type JobRequest, jobRequestSchema, type Mode, modes } from '../../contracts/job.ts';
import { parseRecipe } from '../../contracts/recipe.ts';
import { parseDuration } from '../text/duration.ts';
import { placementOptions } from './placement-options.ts';
import { agentRequest, parseParallelAgents } from './agent-options.ts';
import { resolveLocation } from './repository.ts';
import type { RequestOptions } from './request-options.ts';

/** Checks everything that can be checked here and makes a request of it. Throws `usage.invalid` or `source.not-a-repository`. */
export async function buildRequest(
  goal: string | undefined,
  repository: string,
  options: RequestOptions,
): Promise<JobRequest> {
  const request: JobRequest = {
    goal: goal ?? '',
    modes: options.modes === undefined ? [...modes] : parseModes(options.modes),
    recipes: options.recipe.map((text) => orUsage('--recipe', () => parseRecipe(text))),
    approve: options.approve === true,
    user: osUser(),
    env: parseVariables(options.env),
    cache: cacheMode(options),
    ...(options.nodeClass === undefined ? {} : { nodeClass: parseClass(options.nodeClass) }),
    ...placementOptions(options),
    ...(options.stepTimeout === undefined
      ? {}
      : { stepTimeoutMs: parseDuration('--step-timeout', options.stepTimeout) }),
    ...(options.nodeWait === undefined ? {} : { nodeWaitMs: parseDuration('--node-wait', options.nodeWait) }),
    ...agentRequest(options),
    ...(options.parallelAgents === undefined ? {} : { parallelAgents: parseParallelAgents(options.parallelAgents) }),
    ...(options.idempotencyKey === undefined ? {} : { idempotencyKey: options.idempotencyKey }),
    source: { location: await resolveLocation(repository), ...(options.ref === undefined ? {} : { ref: options.ref }) },
  };
  if (request.recipes.length > 0 && !request.modes.includes('refactoring')) {
    throw new HelixError('usage.invalid', '--recipe needs the mode refactoring: add it to --modes');
  }
  const parsed = jobRequestSchema.safeParse(request);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new HelixError('usage.invalid', issues.join('; '));
}

function parseModes(text: string): Mode[] {
  const given = text.split(',').map((part) => part.trim());
  for (const name of given) {
    if (!modes.includes(name as Mode)) {
      throw new HelixError('usage.invalid', `unknown mode "${name}" in --modes: the modes are ${modes.join(', ')}`);
    }
  }
  // In the order in which they are carried out, whatever order they were given in.
  return modes.filter((mode) => given.includes(mode));
}

function parseVariables(texts: string[]): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const text of texts) {
    const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)=([^]*)$/.exec(text) ?? [];
    if (name === undefined || value === undefined) {
      // What stands after the name is never shown: it may be a secret.
      const shown = text.includes('=')
        ? `"${text.slice(0, text.indexOf('='))}" is no name of a variable`
        : 'there is no "=" in it';
      throw new HelixError(
        'usage.invalid',
        `--env takes NAME=VALUE with a name of letters, digits and underscores: ${shown}`,
      );
    }
    variables[name] = value;
  }
  return variables;
}

function parseClass(text: string): string {
  return orUsage('--node-class', () => {
    parseCapabilityClass(text);
    return text;
  });
}

function cacheMode({ cache, cacheFailures }: RequestOptions): JobRequest['cache'] {
  if (!cache && cacheFailures)
    throw new HelixError('usage.invalid', '--no-cache and --cache-failures exclude each other');
  if (!cache) return 'off';
  return cacheFailures ? 'all' : 'on';
}

/** The contracts' readers throw TypeErrors whose message is meant for users. */
function orUsage<T>(option: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new HelixError('usage.invalid', `${option}: ${(error as Error).message}`, { cause: error });
  }
}

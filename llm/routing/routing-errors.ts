import { HelixError } from '../../contracts/error.ts';
import type { ErrorCode } from '../../contracts/error.ts';
import type { Assessed, RoutingPolicy } from './assess.ts';
import { didYouMean } from './model-name.ts';
import { describeNeeds } from './needs.ts';
import type { ModelNeeds } from './needs.ts';

const namedAtMost = 3;

export function unknownModel(name: string, known: readonly string[]): HelixError {
  if (known.length === 0) return notConfigured();
  return new HelixError(
    'llm.model-not-found',
    `there is no model ${name}${didYouMean(name, known) || '; `helix models list` shows those there are'}`,
    { details: { model: name } },
  );
}

/** Why no model was chosen, with the models that came nearest and what each lacks. */
export function noneChosen(needs: ModelNeeds, assessed: readonly Assessed[], policy: RoutingPolicy): HelixError {
  if (assessed.length === 0) return notConfigured();
  const preferred = policy.preferred ?? [];
  const wanted = preferred.length === 0 ? assessed : assessed.filter((one) => preferred.includes(one.name));
  const able = assessed.filter((one) => one.unmet.length === 0 && !one.away && !one.tooDear);
  const code = codeFor(wanted);
  const nearest = [...wanted].sort((a, b) => obstacles(a).length - obstacles(b).length).slice(0, namedAtMost);
  const lacking = nearest.map((one) => `${one.name} (${obstacles(one).join('; ')})`).join(', ');
  const instead = able.length === 0 ? '' : `; ${names(able)} would do: choose it with --model`;
  const subject = preferred.length === 0 ? 'no configured model' : 'no model that was asked for';
  const waits = wanted.flatMap(({ candidate }) => (candidate.waitMs ? [candidate.waitMs] : []));
  return new HelixError(
    code,
    `${subject} can take this request, which needs ${describeNeeds(needs)}. Nearest: ${lacking}${instead}`,
    {
      details: {
        needs: { ...needs },
        ...(code === 'llm.unavailable' && waits.length > 0 ? { retryAfterMs: Math.min(...waits) } : {}),
      },
    },
  );
}

/** Of what is easiest to change: waiting for a provider, then the price, then a shorter request, then another model. */
function codeFor(wanted: readonly Assessed[]): ErrorCode {
  const able = wanted.filter((one) => one.unmet.length === 0);
  if (able.some((one) => !one.tooDear)) return 'llm.unavailable';
  if (able.length > 0) return 'budget.exceeded';
  const tooLong = wanted.some((one) => one.unmet.every(({ need }) => need === 'context' || need === 'answer'));
  return tooLong ? 'llm.context-exceeded' : 'llm.unsupported';
}

function obstacles(one: Assessed): string[] {
  return [
    ...one.unmet.map(({ text }) => text),
    ...(one.away ? [one.away] : []),
    ...(one.tooDear ? [`about ${one.estimatedUsd!.toFixed(4)} US dollars, more than one call may cost`] : []),
  ];
}

function names(able: readonly Assessed[]): string {
  return able
    .slice(0, namedAtMost)
    .map((one) => one.name)
    .join(' or ');
}

function notConfigured(): HelixError {
  return new HelixError(
    'llm.not-configured',
    'no model provider is configured: set the key of one in the environment (ANTHROPIC_API_KEY, OPENAI_API_KEY, GEMINI_API_KEY ...) or in the configuration',
  );
}

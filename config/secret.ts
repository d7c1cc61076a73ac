import { readFileSync } from 'node:fs';
import { HelixError } from '../contracts/error.ts';

/** The secret that a setting names: `env:VARIABLE`, `file:/absolute/path`, or the text itself. Throws `usage.invalid` naming the place that is empty. */
export function resolveSecret(setting: string, reference: string, env: NodeJS.ProcessEnv = process.env): string {
  const [, kind, place] = /^(env|file):(.+)$/.exec(reference) ?? [];
  if (kind === undefined || place === undefined) return reference;
  const value = kind === 'env' ? env[place] : readSecretFile(setting, place);
  if (value?.trim()) return value.trim();
  throw new HelixError('usage.invalid', `${setting} refers to ${reference}, where there is nothing`);
}

function readSecretFile(setting: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new HelixError(
      'usage.invalid',
      `${setting} refers to file:${path}, which cannot be read: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
}

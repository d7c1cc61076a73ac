import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type * as envconfigModule from '@temporalio/envconfig';
import type { ClientConfigProfile, ClientConnectConfig, LoadClientProfileOptions } from '@temporalio/envconfig';
import { HelixError } from '../contracts/error.ts';
import type { Config } from './schema.ts';

/** How to reach a Temporal server; fits `Connection.connect` and `NativeConnection.connect`. */
export type TemporalConnectionOptions = ClientConnectConfig['connectionOptions'];

/**
 * Connection options for the configured server: its address, with TLS, API key and metadata from the profile and from
 * TEMPORAL_TLS_*, TEMPORAL_API_KEY and TEMPORAL_GRPC_META_*. Throws `usage.invalid` when no address is configured.
 */
export function temporalConnection(config: Config, env: NodeJS.ProcessEnv = process.env): TemporalConnectionOptions {
  const { address, profile } = config.temporal;
  if (!address) {
    throw new HelixError(
      'usage.invalid',
      'no Temporal server is configured: set TEMPORAL_ADDRESS, or start the stack with "helix up"',
    );
  }
  if (!usesEnvconfig(env, profile)) return { address };
  return { ...translated(() => envconfig().loadClientConnectConfig(options(env, profile))).connectionOptions, address };
}

/** The profile as temporal.toml has it, without variables; undefined when there is no such file and none was asked for. */
export function readTemporalProfile(env: NodeJS.ProcessEnv, name: string | undefined): ClientConfigProfile | undefined {
  if (!name && !hasToml(env)) return undefined;
  return translated(() => envconfig().loadClientConfigProfile({ ...options(env, name), disableEnv: true }));
}

/** Loaded only when it is needed: it brings the SDK's encoders with it, which a plain command does not want to wait for. */
function envconfig(): typeof envconfigModule {
  return createRequire(import.meta.url)('@temporalio/envconfig') as typeof envconfigModule;
}

function usesEnvconfig(env: NodeJS.ProcessEnv, profile: string | undefined): boolean {
  return (
    profile !== undefined ||
    hasToml(env) ||
    Object.keys(env).some((key) => /^TEMPORAL_(TLS|API_KEY|GRPC_META)/.test(key) && env[key])
  );
}

function options(env: NodeJS.ProcessEnv, profile: string | undefined): LoadClientProfileOptions {
  const overrideEnvVars = Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => Boolean(entry[1])),
  );
  return { overrideEnvVars, ...(profile ? { profile } : {}) };
}

/** Whether there is a file to read: the SDK fails on an empty one, and /dev/null is how one says that there is none. */
function hasToml(env: NodeJS.ProcessEnv): boolean {
  const file = statSync(tomlPath(env), { throwIfNoEntry: false });
  return file !== undefined && file.isFile() && file.size > 0;
}

/** The place where the SDK looks for temporal.toml. */
function tomlPath(env: NodeJS.ProcessEnv): string {
  if (env['TEMPORAL_CONFIG_FILE']) return env['TEMPORAL_CONFIG_FILE'];
  const home = env['HOME'] || homedir();
  const folders: Partial<Record<NodeJS.Platform, string>> = {
    darwin: join(home, 'Library', 'Application Support'),
    win32: env['APPDATA'] ?? home,
  };
  const xdg = env['XDG_CONFIG_HOME'];
  const folder = folders[process.platform] ?? (xdg && isAbsolute(xdg) ? xdg : join(home, '.config'));
  return join(folder, 'temporalio', 'temporal.toml');
}

function translated<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new HelixError('usage.invalid', `the Temporal profile cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

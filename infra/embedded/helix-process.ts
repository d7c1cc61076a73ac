import { fileURLToPath } from 'node:url';
import type { Config } from '../../config/schema.ts';
import { settings } from '../../config/settings.ts';
import type { Program } from './part.ts';

export interface HelixProcessOptions {
  config: Config;
  /** The program; `workers/helix.ts` unless a test gives its own. */
  entry?: string;
  apiPort: number;
  databaseUrl: string;
  temporalAddress: string;
  temporalUiUrl: string | null;
  /** The server is the embedded one: a profile or TLS settings meant for another do not reach it. */
  embeddedTemporal: boolean;
}

/** How to start the process that holds Helix's four roles. Every setting reaches it as a variable. */
export function helixProgram(options: HelixProcessOptions): Program {
  const { config, databaseUrl, temporalAddress } = options;
  const entry = options.entry ?? fileURLToPath(new URL('../../workers/helix.ts', import.meta.url));
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    ...settingVariables(config),
    HELIX_API_PORT: String(options.apiPort),
    DATABASE_URL: databaseUrl,
    TEMPORAL_ADDRESS: temporalAddress,
    TEMPORAL_NAMESPACE: config.temporal.namespace,
  };
  delete env['HELIX_DATABASE_URL'];
  delete env['HELIX_TEMPORAL_ADDRESS'];
  if (options.temporalUiUrl) env['HELIX_TEMPORAL_UI_URL'] = options.temporalUiUrl;
  if (options.embeddedTemporal) forgetOtherServers(env);
  return { command: process.execPath, args: ['--disable-warning=ExperimentalWarning', entry], env, cwd: config.home };
}

/** Each setting that has a value, by its variable. */
function settingVariables(config: Config): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const { path, variable } of settings) {
    const value = path.reduce<unknown>(
      (section, key) => (section as Record<string, unknown> | undefined)?.[key],
      config,
    );
    if (value !== undefined) variables[variable] = typeof value === 'string' ? value : JSON.stringify(value);
  }
  return variables;
}

function forgetOtherServers(env: NodeJS.ProcessEnv): void {
  for (const variable of Object.keys(env)) {
    if (/^TEMPORAL_(PROFILE|TLS|API_KEY|GRPC_META|CODEC)/.test(variable)) delete env[variable];
  }
  delete env['HELIX_TEMPORAL_PROFILE'];
  env['TEMPORAL_CONFIG_FILE'] = process.platform === 'win32' ? 'NUL' : '/dev/null';
}

/** Whether the API answers that it is well. */
export async function isApiHealthy(apiUrl: string): Promise<boolean> {
  try {
    const answer = await fetch(new URL('/v1/health', apiUrl), { signal: AbortSignal.timeout(2000) });
    return answer.status === 200 && ((await answer.json()) as { status?: unknown }).status === 'ok';
  } catch {
    return false;
  }
}

import { join } from 'node:path';
import { temporalConnection } from '../../config/temporal-profile.ts';
import type { Config } from '../../config/schema.ts';
import type { Logger } from '../../observability/logger.ts';
import { identify, isAlive } from '../bootstrap/lock.mjs';
import type { ProcessIdentity } from '../bootstrap/lock.mjs';
import { ExternalPart } from './external-part.ts';
import { helixProgram, isApiHealthy } from './helix-process.ts';
import type { LogPump } from './log-pump.ts';
import { stopping } from './part.ts';
import type { Part } from './part.ts';
import { claimPorts } from './ports.ts';
import { isPostgresReady, postgresPassword, postgresUrl, preparePostgres, tryConnect } from './postgres.ts';
import { endProcess } from './processes.ts';
import { portNames, readStackFile } from './state.ts';
import type { PartName, PortName, StackFile } from './state.ts';
import { SupervisedPart } from './supervised-part.ts';
import type { SupervisorInput } from './supervisor-input.ts';
import { isTemporalReady, prepareTemporalServer } from './temporal-server.ts';

export interface PlanOptions {
  input: SupervisorInput;
  pumps: Record<PartName, LogPump>;
  log: Logger;
  onChange: () => void;
}

export interface StackPlan {
  file: Omit<StackFile, 'parts'>;
  /** PostgreSQL, Temporal, Helix. */
  parts: (SupervisedPart | ExternalPart)[];
}

/** Decides where everything listens, what of an earlier supervisor's is kept, and what each part of the stack is. */
export async function planStack({ input, pumps, log, onChange }: PlanOptions): Promise<StackPlan> {
  const { config } = input;
  const recorded = readStackFile(config.home);
  const orphans = await keptOrphans(recorded, input, log);
  const ports = await choosePorts(config, recorded, orphans);
  const given = (name: PortName) => ports[name]!.given;

  const password = await postgresPassword(join(config.home, 'postgres-password'));
  const databaseUrl = config.database.url ?? postgresUrl({ port: given('postgres'), password });
  const temporalAddress = config.temporal.address ?? `127.0.0.1:${given('temporal')}`;
  const ownUi = config.temporal.address ? null : `http://127.0.0.1:${given('temporalUi')}`;
  const temporalUiUrl = config.temporal.uiUrl ?? ownUi;
  const apiUrl = `http://${reachableHost(config.api.host)}:${given('api')}`;

  const supervised = (part: Part, needs: readonly { readonly isUsable: boolean }[] = []) =>
    new SupervisedPart({ part, pump: pumps[part.name], log, needs, onChange, orphan: orphans.get(part.name) ?? null });

  const postgres = config.database.url
    ? externalPostgres(config.database.url, onChange)
    : supervised(embeddedPostgres(join(config.home, 'postgres'), given('postgres'), password));
  const temporal = config.temporal.address
    ? externalTemporal(config, onChange)
    : supervised(embeddedTemporal(config, input.temporalCli!, given('temporal'), given('temporalUi')));
  const helix = supervised(
    {
      name: 'helix',
      address: apiUrl,
      prepare: () =>
        Promise.resolve(
          helixProgram({
            config,
            databaseUrl,
            temporalAddress,
            temporalUiUrl,
            apiPort: given('api'),
            embeddedTemporal: !config.temporal.address,
            ...(input.helixEntry ? { entry: input.helixEntry } : {}),
          }),
        ),
      isReady: () => isApiHealthy(apiUrl),
    },
    [postgres, temporal],
  );
  const { settings } = input;
  const supervisor = identify(process.pid);
  return {
    file: { version: 1, supervisor, settings, ports, apiUrl, temporalAddress, temporalUiUrl, databaseUrl },
    parts: [postgres, temporal, helix],
  };
}

/** Living processes of a supervisor that was killed. Those that were started with other settings are ended. */
async function keptOrphans(
  recorded: StackFile | null,
  input: SupervisorInput,
  log: Logger,
): Promise<Map<PartName, ProcessIdentity>> {
  const kept = new Map<PartName, ProcessIdentity>();
  for (const { name, identity } of recorded?.parts.toReversed() ?? []) {
    if (!identity || !isAlive(identity)) continue;
    if (recorded!.settings === input.settings) kept.set(name, identity);
    else await endProcess(identity, stopping[name].signal, stopping[name].timeoutMs);
    log.info({ part: name, pid: identity.pid, kept: kept.has(name) }, 'found a process of an earlier supervisor');
  }
  return kept;
}

const portOwners: Record<PortName, PartName> = {
  postgres: 'postgres',
  temporal: 'temporal',
  temporalUi: 'temporal',
  api: 'helix',
};

/** The ports of last time where the wish is still the same, else the wanted ones; others where those are in use. */
async function choosePorts(
  config: Config,
  recorded: StackFile | null,
  orphans: Map<PartName, ProcessIdentity>,
): Promise<StackFile['ports']> {
  const wishes = { ...config.ports, api: config.api.port };
  const before = (name: PortName) => recorded?.ports[name];
  const asked = portNames.map((name) => (before(name)?.wanted === wishes[name] ? before(name)!.given : wishes[name]));
  const own = portNames.filter((name) => orphans.has(portOwners[name])).flatMap((name) => before(name)?.given ?? []);
  const given = await claimPorts(asked, new Set(own), process.pid);
  return Object.fromEntries(portNames.map((name, index) => [name, { wanted: wishes[name], given: given[index]! }]));
}

function embeddedPostgres(dataDir: string, port: number, password: string): Part {
  return {
    name: 'postgres',
    address: `127.0.0.1:${port}`,
    prepare: () => preparePostgres({ dataDir, port, password }),
    isReady: () => isPostgresReady({ port, password }),
  };
}

function embeddedTemporal(config: Config, cli: string, port: number, uiPort: number): Part {
  const { namespace } = config.temporal;
  const databaseFile = join(config.home, 'temporal', 'temporal.db');
  return {
    name: 'temporal',
    address: `127.0.0.1:${port}`,
    prepare: () => prepareTemporalServer({ cli, port, uiPort, namespace, databaseFile }),
    isReady: () => isTemporalReady(port, namespace),
  };
}

function externalPostgres(url: string, onChange: () => void): ExternalPart {
  const check = async () => {
    const error = await tryConnect(url);
    if (error) throw error;
  };
  return new ExternalPart({ name: 'postgres', address: new URL(url).host, check, onChange });
}

function externalTemporal(config: Config, onChange: () => void): ExternalPart {
  const { namespace, address } = config.temporal;
  const check = async () => {
    // Loaded only here: with the embedded server the supervisor does without the SDK's client.
    const { registerSearchAttributes } = await import('../temporal/search-attributes.ts');
    await registerSearchAttributes(temporalConnection(config), namespace);
  };
  return new ExternalPart({ name: 'temporal', address: address!, check, onChange });
}

/** Where to reach a server that listens on every address. */
function reachableHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

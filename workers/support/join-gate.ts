import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { Config } from '../../config/schema.ts';
import { HelixError } from '../../contracts/error.ts';
import { type NodeToken, nodeNameSchema } from '../../contracts/node.ts';
import type { ProjectId } from '../../contracts/snapshot.ts';
import type { Database } from '../../db/database.ts';
import { dropListener, getListener, saveListener } from '../../db/join-listeners.ts';
import { getToken, redeemToken, whoMayJoin } from '../../db/join-tokens.ts';
import { findJoined, listJoined, takeNode } from '../../db/node-pools.ts';
import { getNode, insertNode } from '../../db/nodes.ts';
import { ownAddresses } from '../../fleet/join/address.ts';
import type { Arrivals } from '../../fleet/join/arrivals.ts';
import { controllerKeyFile, loadControllerKey, secretOf } from '../../fleet/join/controller-key.ts';
import { JoinListener } from '../../fleet/join/listener.ts';
import type { JoinSession } from '../../fleet/join/session.ts';
import { cacheLimitOf } from '../../fleet/cache-limit.ts';
import { openJoinedNode } from '../../fleet/node.ts';
import type { SnapshotStore } from '../../snapshots/store.ts';
import type { NodeConnector } from './node-connector.ts';
import { Rounds } from './rounds.ts';

export interface JoinGateOptions {
  config: Config;
  database: Database;
  /** Id of this node-pool. */
  pool: string;
  arrivals: Arrivals;
  connector: NodeConnector;
  stores(project: ProjectId): Promise<SnapshotStore>;
  path(...parts: string[]): string;
  logger: Logger;
}

/** A token expires without anybody being told. */
const lookEveryMs = 2_000;
/** How many ports after the configured one are tried before any. */
const nearPorts = 10;

/**
 * Lets machines in that connect by themselves: with a token as new nodes, with their own credential as those that they are. It is open only while
 * one of either kind may come. Of the node-pools on a host one listens; whichever a machine comes to gets the lease of its node.
 */
export class JoinGate {
  private readonly options: JoinGateOptions;
  private listener: JoinListener | undefined;
  /** The one that the machines which come here have proven to know of: a file that is replaced counts from the next start on. */
  private key: Buffer | undefined;
  /** Stopped ones may still have sessions. */
  private readonly listeners = new Set<JoinListener>();
  private timer: NodeJS.Timeout | undefined;
  private readonly rounds = new Rounds(() => this.takeTurn());
  private readonly leaving = new Set<Promise<void>>();
  private isStopped = false;
  private saidInUse = false;

  constructor(options: JoinGateOptions) {
    this.options = options;
  }

  /** Opens when a machine may come. */
  async start(): Promise<void> {
    await this.look();
    this.timer = setInterval(() => void this.look(), lookEveryMs);
  }

  /** Opens or closes as the records say, and lets go of machines whose nodes were removed. Never rejects. */
  async look(): Promise<void> {
    await this.rounds.ask().catch((error: unknown) => {
      this.options.logger.warn({ err: error }, 'could not see whether a machine may join');
    });
  }

  /** Lets nobody in any more; who is connected stays. */
  stopListening(): void {
    this.isStopped = true;
    clearInterval(this.timer);
    this.listener?.stopListening();
  }

  /** Tells the machines whose connections were closed what they have to know, and closes the rest. */
  async stop(): Promise<void> {
    this.stopListening();
    await this.rounds.stop();
    await Promise.all(this.leaving);
    for (const listener of this.listeners) listener.close();
    await dropListener(this.options.database, this.options.pool).catch(() => undefined);
  }

  private async takeTurn(): Promise<void> {
    if (this.isStopped) return;
    const { database, pool, arrivals } = this.options;
    const there = arrivals.all();
    const joined = there.length === 0 ? new Set<string>() : await listJoined(database);
    await Promise.all(there.filter(([id]) => !joined.has(id)).map(([, session]) => session.refuse(removed())));
    const { tokens, nodes } = await whoMayJoin(database);
    if (tokens || nodes) await this.open(nodes);
    else if (this.listener) {
      this.listener.stopListening();
      this.listener = undefined;
      await dropListener(database, pool);
    }
  }

  /** `keepPort`: machines know the port by now, and another one would be of no use to them. */
  private async open(keepPort: boolean): Promise<void> {
    if (this.listener) return;
    const { config, database, pool, logger, path } = this.options;
    const { host, port: wanted, address } = config.fleet.join;
    const known = await getListener(database, hostname());
    if (known?.pool && known.pool !== pool) return;
    const isSame = known !== undefined && known.wanted === wanted;
    const near = Array.from({ length: nearPorts }, (_, step) => wanted + step).filter((port) => port <= 65_535);
    const ports = [...(isSame ? [known.port] : []), ...(isSame && keepPort ? [] : [...near, 0])];
    const key = (this.key ??= loadControllerKey(path(controllerKeyFile)));
    const listener = new JoinListener({ key, host, logger, onSession: (session) => void this.receive(session) });
    const port = await listener.listen(ports);
    if (port === undefined) {
      if (!this.saidInUse) logger.warn({ ports }, 'the port for joined machines is in use: they cannot connect');
      this.saidInUse = true;
      return;
    }
    const addresses = address === undefined ? ownAddresses() : [address];
    if (!(await saveListener(database, { host: hostname(), wanted, port, addresses, pool }))) {
      listener.close();
      return;
    }
    this.listener = listener;
    this.listeners.add(listener);
    this.saidInUse = false;
    logger.info({ port }, 'machines can join');
  }

  private async receive(session: JoinSession): Promise<void> {
    const { kind, id } = session.identity;
    try {
      if (this.isStopped) return session.close();
      const { hostname: name } = await session.hello();
      if (kind === 'token') await this.redeem(session, id, name);
      else await this.letBackIn(session, id);
    } catch (error) {
      const { logger } = this.options;
      logger.warn({ from: session.from, kind, id, reason: (error as Error).message }, 'a machine was not let in');
      if (error instanceof HelixError && (kind === 'token' || isFinal(error))) await session.refuse(error);
      else session.close();
    }
  }

  /** The machine of a node has come back, to this pool: its lease comes here too. */
  private async letBackIn(session: JoinSession, registration: string): Promise<void> {
    const { database, pool, arrivals, connector } = this.options;
    const node = await findJoined(database, registration);
    if (!node) throw removed();
    session.onRelease = () => this.farewell(registration, session);
    arrivals.offer(registration, session);
    if (node.pool !== pool) await takeNode(database, pool, node.name);
    await connector.synchronise();
  }

  /** A machine with a token becomes a node, or nothing of it stays. */
  private async redeem(session: JoinSession, id: string, machine: string): Promise<void> {
    const { database, arrivals } = this.options;
    const token = await getToken(database, id);
    refuseUnusable(token, id);
    const name = token.name ?? nameOf(machine);
    if (await getNode(database, name)) throw nameTaken(name);
    const registration = randomUUID();
    const secret = secretOf(this.key!, { kind: 'node', id: registration }).toString('base64url');
    // Told why when it fails, before the connection is closed.
    let isReleased = false;
    session.onRelease = () => {
      isReleased = true;
    };
    await session.adopt({ name, registration, secret });
    try {
      await this.enter(session, token, name, registration);
    } catch (error) {
      // It failed after the node was put on record: the machine comes back as that.
      if (await findJoined(database, registration)) session.close();
      throw error;
    }
    // Lost again already; it comes back as the node that it is.
    if (isReleased) return session.close();
    session.onRelease = () => this.farewell(registration, session);
    arrivals.offer(registration, session, true);
    await session.welcome({ name }).catch(() => session.close());
  }

  private async enter(session: JoinSession, token: NodeToken, name: string, registration: string): Promise<void> {
    const { config, database, pool, arrivals, connector, stores, path, logger } = this.options;
    const tenure = { registration, epoch: 1 };
    const next = (signal: AbortSignal) => arrivals.take(registration, signal);
    const node = await openJoinedNode({
      name,
      session,
      next,
      tenure,
      cacheDir: path('cache'),
      cacheBytes: cacheLimitOf(token.labels, config.fleet.cacheBytes),
      stores,
      logger,
    });
    const description = {
      name,
      reach: 'joined' as const,
      slots: token.slots ?? node.facts.cpus,
      labels: token.labels,
      facts: node.facts,
      probedAt: new Date().toISOString(),
    };
    const record = await connector.takeIn(name, node, tenure, () =>
      database.transaction(async (transaction) => {
        if (!(await redeemToken(transaction, token.id, name)))
          refuseUnusable(await getToken(transaction, token.id), token.id);
        if (await insertNode(transaction, description, { holder: { pool, registration } })) return true;
        throw nameTaken(name);
      }),
    );
    if (!record) throw new HelixError('node.lost', `${name} was removed while it joined`);
  }

  /** The connection to its agent was closed here: the machine comes back, unless its node was removed. */
  private farewell(registration: string, session: JoinSession): void {
    session.onRelease = () => undefined;
    const leaving = this.refuseRemoved(registration, session)
      .catch(() => undefined)
      .then(() => session.close());
    this.leaving.add(leaving);
    void leaving.then(() => this.leaving.delete(leaving));
  }

  private async refuseRemoved(registration: string, session: JoinSession): Promise<void> {
    if (await findJoined(this.options.database, registration)) return;
    await session.refuse(removed());
  }
}

function refuseUnusable(token: NodeToken | undefined, id: string): asserts token is NodeToken {
  if (token?.state === 'open') return;
  const why = {
    used: `was used at ${token?.usedAt} for node ${token?.node}`,
    expired: `expired at ${token?.expiresAt}`,
    revoked: 'was revoked',
    unknown: 'is not known to the controller any more',
  }[token?.state ?? 'unknown'];
  throw new HelixError(
    'node.token-refused',
    `the token ${id} ${why}: make another one with "helix nodes token" on the controller`,
  );
}

/** Whether a machine that was a node has no reason to come back. */
function isFinal({ code }: HelixError): boolean {
  return code === 'node.removed' || code === 'node.unsuitable';
}

function removed(): HelixError {
  return new HelixError(
    'node.removed',
    'this machine is no longer a node of the controller: it was removed there, and joins anew with a new token',
  );
}

function nameTaken(name: string): HelixError {
  return new HelixError(
    'node.name-taken',
    `a node named ${name} is registered already: make a token with another --name, or remove that node first with "helix nodes remove ${name}"; this token can still be used`,
  );
}

/** Throws `node.unsuitable` when the machine's name cannot be that of a node. */
function nameOf(machine: string): string {
  const name = machine.split('.')[0] ?? '';
  if (nodeNameSchema.safeParse(name).success) return name;
  throw new HelixError(
    'node.unsuitable',
    `the machine's name ${JSON.stringify(machine.slice(0, 100))} cannot be that of a node: make a token with --name`,
  );
}

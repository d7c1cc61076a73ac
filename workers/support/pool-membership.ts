import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { Database } from '../../db/database.ts';
import { claimNodes, dropPool, listNeighbours, type NodePool, readShares, renewPool } from '../../db/node-pools.ts';
import { hasEnded } from './this-process.ts';

export interface MembershipOptions {
  database: Database;
  pool: NodePool;
  logger: Logger;
  /** What this pool holds, or what there is, may have changed: called before it counts as alive again after a time when it did not. */
  onChange(): Promise<void>;
  /** It counts as alive again. */
  onAlive(): void;
  /** This pool has `surplus` nodes more than its share; negative or 0 when it may keep what it has. */
  onSurplus(surplus: number): Promise<void>;
}

/** How long a pool that says nothing keeps its nodes, and how often it says something. */
const aliveForMs = 5_000;
const renewEveryMs = 1_000;

/**
 * Keeps this process one of the fleet's node-pools: says again and again that it is alive, takes nodes that nobody holds, and knows when it
 * must not place anything any more. The nodes are shared out evenly; of time only the database's clock and how much of it passed here count.
 */
export class PoolMembership {
  private readonly options: MembershipOptions;
  private aliveUntil = { monotonic: -Infinity, wall: -Infinity };
  private pools = 0;
  private timer: NodeJS.Timeout | undefined;
  private turn: Promise<void> | undefined;
  private stopped = false;

  constructor(options: MembershipOptions) {
    this.options = options;
  }

  /**
   * Whether this pool certainly still holds its nodes. Both clocks count: one stands still while the machine sleeps, the other one
   * may be set back.
   */
  isAlive(): boolean {
    return performance.now() < this.aliveUntil.monotonic && Date.now() < this.aliveUntil.wall;
  }

  /** Becomes a pool, and takes its share of the nodes. */
  async join(): Promise<void> {
    await this.look();
    this.schedule();
  }

  /** Looks at once at what there is to take or to give. */
  async look(): Promise<void> {
    this.turn ??= this.takeTurn().finally(() => {
      this.turn = undefined;
    });
    await this.turn;
  }

  /** Gives up all nodes; whoever takes them over does so at once. */
  async leave(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.turn?.catch(() => undefined);
    this.aliveUntil = { monotonic: -Infinity, wall: -Infinity };
    await dropPool(this.options.database, this.options.pool.id);
  }

  private schedule(): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.look().then(
        () => this.schedule(),
        (error: unknown) => {
          this.options.logger.warn({ err: error }, 'could not say that this node-pool is alive');
          this.schedule();
        },
      );
    }, renewEveryMs);
  }

  private async takeTurn(): Promise<void> {
    const { database, pool, onChange, onAlive, onSurplus } = this.options;
    const from = { monotonic: performance.now(), wall: Date.now() };
    const wasAlive = this.isAlive();
    await renewPool(database, pool, aliveForMs);
    await this.dropDeadNeighbours();
    const shares = await readShares(database, pool.id, hostname());
    const share = Math.ceil(shares.nodes / shares.pools);
    const claimed = shares.free === 0 ? 0 : await claimNodes(database, pool.id, hostname(), Math.max(0, share - shares.mine)); // prettier-ignore
    const poolsChanged = this.pools !== shares.pools;
    this.pools = shares.pools;
    if (claimed > 0 || poolsChanged || !wasAlive) await onChange();
    if (this.stopped) return;
    this.aliveUntil = { monotonic: from.monotonic + aliveForMs, wall: from.wall + aliveForMs };
    if (!wasAlive) onAlive();
    await onSurplus(shares.mine - share);
  }

  /** A process of the same machine that has ended need not be waited for. */
  private async dropDeadNeighbours(): Promise<void> {
    const { database, pool, logger } = this.options;
    for (const neighbour of await listNeighbours(database, pool)) {
      if (!hasEnded(neighbour)) continue;
      logger.info({ pool: neighbour.id }, 'a node-pool on this machine has ended');
      await dropPool(database, neighbour.id);
    }
  }
}

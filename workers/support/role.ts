import { DefaultLogger, Runtime, type Worker } from '@temporalio/worker';
import { type Foundation, lay } from './foundation.ts';

/** A running part of HelixCode. */
export interface Role {
  /** Settles when the role has ended; rejects when it broke. */
  ended: Promise<void>;
  /** Asks it to end; `ended` then settles. */
  stop(): void;
}

export type StartRole = (foundation: Foundation) => Promise<Role>;

/**
 * Runs roles in this process, those of a group started at once and the groups one after the other, until SIGTERM or SIGINT, or until one breaks, which ends them all with exit code 1: whoever started the
 * process starts it again.
 */
export async function runRoles(name: string, ...groups: StartRole[][]): Promise<void> {
  Runtime.install({
    // Temporal's own handling of signals would stop its workers only.
    shutdownSignals: [],
    logger: new DefaultLogger('WARN', ({ level, message, meta }) =>
      console.log(JSON.stringify({ level: level.toLowerCase(), name, msg: message, ...safeMeta(meta) })),
    ),
    telemetryOptions: { logging: { filter: 'temporalio_sdk_core=WARN', forward: {} } },
  });
  const foundation = await layOrExit(name);
  const { logger } = foundation;
  const roles: Role[] = [];
  const stop = (): void => {
    for (const role of roles) role.stop();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  try {
    for (const group of groups) {
      await Promise.all(group.map(async (start) => roles.push(await start(foundation))));
    }
    logger.info('ready');
    await Promise.race(roles.map((role) => role.ended));
  } catch (error) {
    logger.error({ err: error }, 'broke');
    process.exitCode = 1;
  }
  stop();
  await Promise.allSettled(roles.map((role) => role.ended));
  await foundation.close();
  logger.info('stopped');
  process.exit();
}

async function layOrExit(name: string): Promise<Foundation> {
  try {
    return await lay(name);
  } catch (error) {
    console.log(JSON.stringify({ level: 'fatal', name, msg: error instanceof Error ? error.message : String(error) }));
    process.exit(1);
  }
}

/** A role that is one Temporal Worker. */
export function workerRole(worker: Worker): Role {
  return { ended: worker.run(), stop: () => worker.getState() === 'RUNNING' && worker.shutdown() };
}

function safeMeta(meta: Record<string | symbol, unknown> | undefined): Record<string, unknown> {
  const error = meta?.['error'];
  return { ...meta, ...(error instanceof Error ? { error: error.stack } : {}) };
}

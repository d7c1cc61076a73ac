import { anyFreePort } from '../../infra/embedded/ports.ts';
import { resolveTemporalCli } from '../../infra/embedded/temporal-cli.ts';
import { isTemporalReady, prepareTemporalServer } from '../../infra/embedded/temporal-server.ts';
import { atEndOfTests } from './hooks.ts';
import { startServer } from './server-process.ts';

export interface SharedTemporal {
  /** host:port */
  address: string;
  namespace: string;
}

let shared: Promise<SharedTemporal> | undefined;

/** A development server in memory with the embedded stack's settings, one for all tests of this process. */
export function sharedTemporal(): Promise<SharedTemporal> {
  shared ??= start();
  return shared;
}

async function start(): Promise<SharedTemporal> {
  const cli = await resolveTemporalCli({ onProgress: (line) => process.stderr.write(`${line}\n`) });
  const port = await anyFreePort();
  const namespace = 'default';
  const program = await prepareTemporalServer({ cli, port, namespace });
  const server = await startServer(program, () => isTemporalReady(port, namespace), 'SIGTERM');
  atEndOfTests(server.stop);
  return { address: `127.0.0.1:${port}`, namespace };
}

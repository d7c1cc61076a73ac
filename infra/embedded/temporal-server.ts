import { mkdir } from 'node:fs/promises';
import { connect, constants } from 'node:http2';
import { dirname } from 'node:path';
import { searchAttributes } from '../temporal/search-attribute-types.ts';
import type { Program } from './part.ts';

export interface TemporalServerOptions {
  cli: string;
  port: number;
  namespace: string;
  /** Without it there is no Web UI. */
  uiPort?: number;
  /** Without it everything is kept in memory. */
  databaseFile?: string;
}

/**
 * Without the poll rates every workflow task and activity waits 50 ms; one partition is enough for one machine; priority and fairness keys do
 * nothing without the matcher and fairness. Where the events of what is scheduled do not fit into the cache (512 KiB, or 500 steps), the server reads
 * and decodes hundreds of them for each activity that is started.
 */
const dynamicConfig: Readonly<Record<string, number | boolean>> = {
  'history.transferProcessorMaxPollRPS': 2000,
  'history.timerProcessorMaxPollRPS': 2000,
  'matching.numTaskqueueReadPartitions': 1,
  'matching.numTaskqueueWritePartitions': 1,
  'matching.useNewMatcher': true,
  'matching.enableFairness': true,
  'history.eventsCacheMaxSizeBytes': 64 << 20,
};

/** How to start the development server with Helix's settings; the search attributes are registered by it. */
export async function prepareTemporalServer(options: TemporalServerOptions): Promise<Program> {
  if (options.databaseFile) await mkdir(dirname(options.databaseFile), { recursive: true });
  const args = [
    'server',
    'start-dev',
    '--ip',
    '127.0.0.1',
    '--port',
    String(options.port),
    '--namespace',
    options.namespace,
  ];
  args.push(...(options.uiPort ? ['--ui-port', String(options.uiPort)] : ['--headless']));
  if (options.databaseFile) args.push('--db-filename', options.databaseFile);
  args.push('--log-format', 'json', '--log-level', 'error', '--disable-config-file', '--disable-config-env');
  for (const [name, type] of Object.entries(searchAttributes)) args.push('--search-attribute', `${name}=${type}`);
  for (const [key, value] of Object.entries(dynamicConfig)) args.push('--dynamic-config-value', `${key}=${value}`);
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], TMPDIR: process.env['TMPDIR'] };
  return { command: options.cli, args, env, cwd: '/' };
}

/**
 * Whether the server at 127.0.0.1 serves the namespace. Asked as a bare gRPC call over HTTP/2, because the SDK's client takes longer to
 * load than the server to start.
 */
export async function isTemporalReady(port: number, namespace: string): Promise<boolean> {
  return (
    (await call(
      port,
      '/temporal.api.workflowservice.v1.WorkflowService/DescribeNamespace',
      namespaceRequest(namespace),
    )) === 0
  );
}

/** DescribeNamespaceRequest in protobuf: field 1 is the namespace's name. */
function namespaceRequest(namespace: string): Buffer {
  const name = Buffer.from(namespace);
  if (name.length > 127) throw new RangeError(`the namespace ${namespace} is longer than 127 bytes`);
  return Buffer.concat([Buffer.from([0x0a, name.length]), name]);
}

/** The gRPC status of a unary call, or null when there was no answer within a second. */
function call(port: number, path: string, message: Buffer): Promise<number | null> {
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(message.length, 1);
  return new Promise((resolve) => {
    const session = connect(`http://127.0.0.1:${port}`);
    const finish = (status: number | null) => {
      clearTimeout(limit);
      session.destroy();
      resolve(status);
    };
    const limit = setTimeout(() => finish(null), 1000);
    session.on('error', () => finish(null));
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: path,
      [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
      te: 'trailers',
    });
    const status = (headers: Record<string, unknown>) => {
      if (headers['grpc-status'] !== undefined) finish(Number(headers['grpc-status']));
    };
    stream.on('error', () => finish(null));
    stream.on('response', status);
    stream.on('trailers', status);
    stream.resume();
    stream.end(Buffer.concat([frame, message]));
  });
}

// The program that fetches, keeps and runs models on a node; bundled into one file and started by the node's agent. With the argument `model` it is the
// process of one model.
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { RpcConnection } from '../fleet/wire/connection.ts';
import { ModelHost } from '../llm/local/node/host.ts';

if (process.argv[2] === 'model') await import('../llm/providers/llamacpp/model-main.ts');
else serve();

/** `--root DIR`: answers calls on stdin and stdout until stdin ends. */
function serve(): void {
  const { values } = parseArgs({ options: { root: { type: 'string' } } });
  if (values.root === undefined) throw new Error('usage: --root DIR');
  // Models end with this process; what is being fetched by npm or tar is ended by the calls that want it.
  const end = (): void => void setImmediate(() => process.exit(0));
  const host = new ModelHost(
    { root: values.root, program: [fileURLToPath(import.meta.url), 'model'], onLeaseEnd: () => connection.close() },
    () => connection,
  );
  const connection = new RpcConnection(process.stdin, process.stdout, host.handlers());
  connection.onClose(end);
  process.on('SIGHUP', end).on('SIGTERM', end);
}

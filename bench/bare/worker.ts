// node worker.ts ADDRESS TASK_QUEUE: a Worker on the bare SDK, in a process of its own so that its CPU time can be told apart.
import { fileURLToPath } from 'node:url';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import * as activities from './activities.ts';

Runtime.install({ logger: new DefaultLogger('ERROR') });
const [address, taskQueue] = process.argv.slice(2);
const worker = await Worker.create({
  connection: await NativeConnection.connect({ address: address! }),
  taskQueue: taskQueue!,
  workflowsPath: fileURLToPath(new URL('workflow.ts', import.meta.url)),
  activities,
  maxConcurrentActivityTaskExecutions: 200,
});
console.log('ready');
await worker.run();

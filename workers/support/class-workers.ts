import { type NativeConnection, Worker } from '@temporalio/worker';
import type { Logger } from 'pino';
import { classTaskQueue } from '../../contracts/derived.ts';
import type { Allocator } from '../../fleet/placement/allocator.ts';
import { createSlotSupplier } from '../../fleet/placement/slot-supplier.ts';

export interface ClassWorkersOptions {
  connection: NativeConnection;
  namespace: string;
  allocator: Allocator;
  activities: object;
  logger: Logger;
  onBroken(error: unknown): void;
}

interface Running {
  worker: Worker;
  ended: Promise<void>;
}

/** One activity Worker for each capability class that somebody has asked for; all share the allocator's nodes. */
export class ClassWorkers {
  private readonly options: ClassWorkersOptions;
  private readonly workers = new Map<string, Promise<Running>>();
  private stopped = false;

  constructor(options: ClassWorkersOptions) {
    this.options = options;
  }

  /** Starts polling for a class; does nothing when it is polled for already. */
  async serve(className: string): Promise<void> {
    if (this.stopped || this.workers.has(className)) return;
    const running = this.start(className);
    this.workers.set(className, running);
    await running;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    const settled = await Promise.allSettled(this.workers.values());
    const running = settled.filter((result) => result.status === 'fulfilled').map((result) => result.value);
    for (const { worker } of running) if (worker.getState() === 'RUNNING') worker.shutdown();
    await Promise.all(running.map(({ ended }) => ended));
  }

  private async start(className: string): Promise<Running> {
    const { connection, namespace, allocator, activities, logger, onBroken } = this.options;
    const supplier = createSlotSupplier(allocator, className);
    const worker = await Worker.create({
      connection,
      namespace,
      taskQueue: classTaskQueue(className),
      activities,
      tuner: {
        activityTaskSlotSupplier: supplier,
        workflowTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 },
        localActivityTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 },
        nexusTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 },
      },
      activityTaskPollerBehavior: { type: 'simple-maximum', maximum: 2 },
      // Heartbeats carry cancellations and the name of the node: both must be quick.
      maxHeartbeatThrottleInterval: '500ms',
      defaultHeartbeatThrottleInterval: '500ms',
    });
    const ended = worker
      .run()
      .catch(onBroken)
      .finally(() => supplier.dispose());
    logger.info({ class: className }, 'serving a capability class');
    return { worker, ended };
  }
}

import type { ActivitySlotInfo, CustomSlotSupplier } from '@temporalio/worker';
import type { Allocator } from './allocator.ts';
import type { Credit } from './credit.ts';

/** The slots of one class's Worker, as Temporal's core asks for them. A permit is a credit to poll, never a node. */
export function createSlotSupplier(
  allocator: Allocator,
  className: string,
): CustomSlotSupplier<ActivitySlotInfo> & { dispose(): void } {
  const granted = new Set<Credit>();
  return {
    type: 'custom',
    async reserveSlot(_context, signal) {
      const credit = await allocator.reserveCredit(className, signal);
      granted.add(credit);
      return { credit };
    },
    // Eager activities never reach these queues.
    tryReserveSlot: () => null,
    markSlotUsed: ({ permit }) => creditOf(permit).markUsed(),
    releaseSlot: ({ permit }) => {
      granted.delete(creditOf(permit));
      creditOf(permit).release();
    },
    // A grant that races the Worker's shutdown is never released by core.
    dispose() {
      for (const credit of granted) credit.release();
      granted.clear();
    },
  };
}

function creditOf(permit: object): Credit {
  return (permit as { credit: Credit }).credit;
}

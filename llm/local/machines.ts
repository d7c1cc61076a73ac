import type { Fit, LocalHardware } from '../../contracts/local-model.ts';
import type { NodeRecord } from '../../contracts/node.ts';
import { fit, type ModelSize } from './fit.ts';
import { hardwareOfNode, thisMachine } from './hardware.ts';

/** A machine that could run models. */
export interface Machine {
  node: string;
  isController: boolean;
  hardware: LocalHardware;
  /** Steps for each slot. */
  load: number;
  /** Bytes of disk that are free; Infinity where it is not known. */
  diskFree: number;
}

export interface Place {
  machine: Machine;
  fit: Fit;
}

/** How the controller's own machine is called where it is no node. */
const controllerName = 'local';
/** Left free on the disk of a node. */
const spareBytes = 512 * 2 ** 20;

/** The controller first, whether it runs steps or not, then the healthy nodes. */
export async function machinesOf(nodes: readonly NodeRecord[]): Promise<Machine[]> {
  const own = nodes.find(({ ssh }) => !ssh);
  const controller = {
    node: own?.name ?? controllerName,
    isController: true,
    hardware: await thisMachine(),
    load: own ? own.busy / own.slots : 0,
    diskFree: Infinity,
  };
  const others = nodes
    .filter(({ ssh, state }) => ssh && state === 'healthy')
    .map(({ name, facts, busy, slots }) => ({
      node: name,
      isController: false,
      hardware: hardwareOfNode(facts),
      load: busy / slots,
      diskFree: facts.diskFree,
    }));
  return [controller, ...others];
}

/** Where a model fits, the best first: the fastest, of equally fast ones the least loaded, and the controller before others. */
export function placesFor(size: ModelSize, machines: readonly Machine[]): Place[] {
  return machines
    .map((machine) => ({ machine, fit: fit(size, machine.hardware) }))
    .filter(({ machine, fit: { where } }) => where !== 'nowhere' && size.bytes + spareBytes <= machine.diskFree)
    .toSorted((a, b) => b.fit.tokensPerSecond - a.fit.tokensPerSecond || a.machine.load - b.machine.load);
}

import type { NodeFacts } from '../../contracts/node.ts';
import type { Resources } from '../../contracts/step.ts';

/** What a step takes of a node. */
export interface Share {
  slots: number;
  /** Bytes that it asked for; 0 when it did not say. */
  memory: number;
}

interface Sized {
  slots: number;
  facts: Pick<NodeFacts, 'cpus' | 'memory'>;
}

/** A step takes one slot, or as many as the processors it asks for are worth on this node; with exclusive use all of them. */
export function shareOf({ slots, facts }: Sized, resources: Resources = {}): Share {
  const { cores = 0, memory = 0, exclusive = false } = resources;
  const worth = Math.ceil((Math.min(cores, facts.cpus) * slots) / facts.cpus);
  return { slots: exclusive ? slots : Math.max(1, worth), memory };
}

/** Whether the node, with nothing else on it, has what is asked for. */
export function couldEverTake({ facts }: Pick<Sized, 'facts'>, resources?: Resources): boolean {
  return missingResources(facts, resources).length === 0;
}

/** What is asked for and the node has too little of, for people. */
export function missingResources(facts: Sized['facts'], { cores = 0, memory = 0 }: Resources = {}): string[] {
  const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  return [
    ...(cores > facts.cpus ? [`${cores} processors (it has ${facts.cpus})`] : []),
    ...(memory > facts.memory ? [`${gibibytes(memory)} of memory (it has ${gibibytes(facts.memory)})`] : []),
  ];
}

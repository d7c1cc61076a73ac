import type { StepSpec } from '../../contracts/step.ts';
import type { EvictedThings } from '../agent/node-cache.ts';

type Wanted = Pick<StepSpec, 'project' | 'layers'>;

/** A node keeps more than this; what was used longest ago is of little worth there. */
const remembered = 500;

const worthOfProject = 0.25;
const worthOfLayers = 0.5;

/** What nodes were seen to use, and so need not be sent or made again. */
export class Warmth {
  private readonly nodes = new Map<string, Set<string>>();

  /** The step has run on the node: the project's snapshots and the step's layers are there. */
  note(node: string, step: Wanted): void {
    const things = this.nodes.get(node) ?? new Set();
    this.nodes.set(node, things);
    for (const thing of thingsOf(step)) {
      things.delete(thing);
      things.add(thing);
    }
    for (const thing of things) {
      if (things.size <= remembered) break;
      things.delete(thing);
    }
  }

  /** The node has said that these are there no longer; whatever else it may have, it gets again by itself. */
  forget(node: string, { projects, layers }: EvictedThings): void {
    const things = this.nodes.get(node);
    for (const project of projects) things?.delete(`project ${project}`);
    for (const key of layers) things?.delete(`layer ${key}`);
  }

  /** From 0 to 0.75: what the node saves the step, measured in shares of its slots that might as well be taken. */
  of(node: string, step: Wanted): number {
    const things = this.nodes.get(node);
    if (!things) return 0;
    const [project, ...layers] = thingsOf(step);
    const hasLayers = layers.length > 0 && layers.every((layer) => things.has(layer));
    return (things.has(project!) ? worthOfProject : 0) + (hasLayers ? worthOfLayers : 0);
  }
}

function thingsOf({ project, layers }: Wanted): string[] {
  return [`project ${project}`, ...layers.map(({ key }) => `layer ${key}`)];
}

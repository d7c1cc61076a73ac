import { Context } from '@temporalio/activity';
import type { BlobStore } from '../blobs/blob-store.ts';
import { HelixError } from '../contracts/error.ts';
import { type Layer, layerSchema, type StepResult } from '../contracts/step.ts';
import type { StepInput } from '../contracts/workflow.ts';
import { activityGroup, heartbeatWith } from './activity-group.ts';
import { type StepDeps, StepRun } from './step-run.ts';

/** The step: looked up, placed, run on a node, and recorded. */
export function createStepActivities(deps: StepDeps) {
  return activityGroup({
    /** Runs a step, or returns what an earlier attempt or an equal step came to. Re-attaches to an execution that is under way. */
    async runStep(input: StepInput): Promise<StepResult> {
      const { order } = input;
      const { info, cancellationSignal } = Context.current();
      const spec = { ...order, layers: await Promise.all(order.layers.map((hash) => loadLayer(deps.blobs, hash))) };
      const run = new StepRun(deps, input, spec, info);
      // To be read in the Web UI; the next attempt has it from the step's record.
      heartbeatWith(() => ({ node: run.node }));
      return await run.result(cancellationSignal);
    },
  });
}

async function loadLayer(blobs: BlobStore, hash: string): Promise<Layer> {
  const content = await blobs.get(hash);
  if (!content) throw new HelixError('internal', `the layer ${hash} is not in the blob store any more`);
  return layerSchema.parse(JSON.parse(content.toString()));
}

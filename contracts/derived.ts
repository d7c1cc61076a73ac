// Pure functions over the contracts, kept apart from the schemas so that workflow code can use them: zod would nearly double the workflow bundle.
import type { JobStatus } from './job.ts';
import type { StepResult } from './step.ts';

/** A step succeeded when its command ended by itself with exit code 0. */
export function stepSucceeded(result: Pick<StepResult, 'end' | 'exitCode'>): boolean {
  return result.end === 'exited' && result.exitCode === 0;
}

export function classTaskQueue(capabilityClass: string): string {
  return `class:${capabilityClass}`;
}

/** The workflow that looks after a node. */
export function nodeWorkflowId(node: string): string {
  return `node-${node}`;
}

/** The node that a model is on, `n1` of `llamacpp/NAME@n1`; undefined for all others. */
export function nodeOfModel(model: string): string | undefined {
  return /^llamacpp\/[^/@]+@(.+)$/.exec(model)?.[1];
}

/** The branch a job's result is published on. */
export function jobBranch(jobId: string): string {
  return `helix/${jobId}`;
}

/** A job in a final status has no running workflow. */
export function isFinalJobStatus(status: JobStatus): boolean {
  return status === 'succeeded' || status === 'failed' || status === 'cancelled' || status === 'rejected';
}

import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';
import type { NodeEvidence } from '../../activities/node-evidence.ts';
import { nodeWorkflowId, stepSucceeded } from '../../contracts/derived.ts';
import { HelixError } from '../../contracts/error.ts';
import type { NodeRecord } from '../../contracts/node.ts';
import type { NodeQuarantined } from '../../contracts/node-workflow.ts';
import type { StepSpec } from '../../contracts/step.ts';
import type { Database } from '../../db/database.ts';
import { clearEvidence, type Evidence, listEvidence, noteEvidence, noteFailure, notePass } from '../../db/node-evidence.ts'; // prettier-ignore
import { changeStanding, getNode, listNodes } from '../../db/nodes.ts';
import { stepKey } from '../../fleet/placement/step-key.ts';
import type { nodeLifecycle } from '../../workflows/index.ts';
import { quarantinedSignal } from '../../workflows/node-messages.ts';
import { orchestratorTaskQueue } from '../../workflows/task-queues.ts';

export interface QuarantineOptions {
  database: Database;
  client: Client;
  /** Until a node is examined for the first time. */
  firstMs: number;
  onQuarantine(record: NodeRecord): void;
  logger: Logger;
}

/** So many different things within the time speak against a node, and it gets no more steps. */
const piecesNeeded = 3;
const windowMs = 10 * 60_000;

/** Errors that are about the machine, not about the step or about us. */
const blamed = new Set(['node.lost', 'node.disk-full', 'node.unsuitable', 'node.unreachable']);

/** Weighs what speaks against nodes, and puts those into quarantine against which too much does. */
export function createQuarantine(options: QuarantineOptions): NodeEvidence {
  const { database } = options;
  const add = async (evidence: Evidence): Promise<void> => {
    await noteEvidence(database, evidence);
    await weigh(options, evidence.node);
  };
  return {
    async ended(node, spec, result) {
      const subject = subjectOf(spec, node.facts);
      if (stepSucceeded(result)) {
        for (const name of await notePass(database, node.name, subject)) await weigh(options, name);
      } else if (result.end === 'exited' || result.end === 'install-failed') {
        const how = result.end === 'exited' ? 'failed' : 'could not be prepared';
        const detail = `"${commandOf(spec)}" ${how} (exit code ${result.exitCode})`;
        await noteFailure(database, { node: node.name, subject, detail });
      }
    },
    failedAlone: (node, spec, reason) =>
      add({ node, subject: commandSubject(spec), detail: `"${commandOf(spec)}": ${reason}, unlike on another node` }),
    async broke(node, spec, error) {
      if (!(error instanceof HelixError) || !blamed.has(error.code)) return;
      // Each loss is a thing of its own, however many steps it met.
      const subject = `${error.code} ${Math.floor(Date.now() / 30_000)}`;
      await add({ node, subject, detail: `"${commandOf(spec)}" was interrupted: ${error.message}` });
    },
  };
}

async function weigh(
  { database, client, firstMs, onQuarantine, logger }: QuarantineOptions,
  name: string,
): Promise<void> {
  const reasons = await listEvidence(database, name, windowMs);
  if (reasons.length < piecesNeeded) return;
  const record = await getNode(database, name);
  if (!record || record.quarantine) return;
  const others = (await listNodes(database)).filter(
    (node) => node.name !== name && (node.state === 'healthy' || node.state === 'degraded'),
  );
  // A node that breaks now and then is better than none.
  if (others.length === 0) return;
  const quarantined = await changeStanding(database, name, {
    quarantine: { reasons, since: new Date().toISOString() },
  });
  if (!quarantined) return;
  onQuarantine(quarantined);
  logger.warn({ node: name, reasons }, 'a node was put into quarantine');
  await clearEvidence(database, name);
  await client.workflow.signalWithStart<typeof nodeLifecycle, [NodeQuarantined]>('nodeLifecycle', {
    workflowId: nodeWorkflowId(name),
    taskQueue: orchestratorTaskQueue,
    args: [{ name }],
    signal: quarantinedSignal,
    signalArgs: [{ firstMs }],
    staticSummary: `node ${name}`,
  });
}

/** The same for equal steps on all nodes of a kind, whatever versions of programs they have. */
function subjectOf(spec: StepSpec, facts: Parameters<typeof stepKey>[1]): string {
  return stepKey(spec, { ...facts, tools: {} });
}

/** Many steps with the same command are one thing: a command that is not there. */
function commandSubject(spec: StepSpec): string {
  return `alone ${spec.project} ${spec.command.cwd} ${spec.command.shell}`;
}

function commandOf({ command }: StepSpec): string {
  const [line = ''] = command.shell.split('\n');
  return line.length > 60 ? `${line.slice(0, 57)}...` : line;
}

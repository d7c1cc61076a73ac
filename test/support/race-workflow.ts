import { workflowInfo } from '@temporalio/workflow';
import type { Budget, Spending } from '../../contracts/agent.ts';
import type { AgentTurnInput } from '../../contracts/workflow.ts';
import { runChildTurn } from '../../workflows/child-turn.ts';
import { Ledger } from '../../workflows/ledger.ts';

export * from '../../workflows/index.ts';

/** Lets agents race over one ledger, each with an equal part of what is left when it starts. Returns what the ledger says that they spent. */
export async function race(turn: Omit<AgentTurnInput, 'budget'>, budget: Budget, agents: number): Promise<Spending> {
  const ledger = new Ledger(budget);
  const { workflowId } = workflowInfo();
  await Promise.allSettled(
    Array.from({ length: agents }, (_, index) =>
      runChildTurn(
        ledger,
        `${workflowId}/agent-${index}`,
        { ...turn, title: `Agent ${index}`, prompt: `agent ${index}` },
        { shares: agents - index },
      ),
    ),
  );
  return ledger.spent;
}

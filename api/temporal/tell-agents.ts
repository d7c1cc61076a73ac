import type { Client } from '@temporalio/client';
import type { AgentMessage, Budget } from '../../contracts/agent.ts';
import { HelixError } from '../../contracts/error.ts';
import { turnsOutOfBudget, turnsThatAsked } from '../../db/agent-turns.ts';
import type { Database } from '../../db/database.ts';
import * as messages from '../../workflows/messages.ts';
import { outermost, runningTurns, type RunningTurn, shortName, turnsNamed } from './running-turns.ts';

interface Deps {
  client: Client;
  database: Database;
}

/**
 * Says something to the agents of a job. A decision or an answer goes to the one that asked; money to those that have run out of it, in equal parts;
 * everything else to all, or to those that `agent` names. Throws `job.wrong-state` when there is none to hear it.
 */
export async function tellAgents(deps: Deps, jobId: string, message: AgentMessage): Promise<void> {
  const { client } = deps;
  const handleOf = (id: string): ReturnType<Client['workflow']['getHandle']> => client.workflow.getHandle(id);
  switch (message.type) {
    case 'decide':
      return await handleOf(await askingTurn(deps, jobId, message)).executeUpdate(messages.decideCallUpdate, {
        args: [message],
      });
    case 'answer':
      return await handleOf(await askingTurn(deps, jobId, message)).executeUpdate(messages.answerQuestionUpdate, {
        args: [message.callId, message.answer],
      });
    case 'raise-budget':
      return await raiseBudget(deps, jobId, message.by, await turnsAtWork(deps, jobId, message.agent));
    case 'steer': {
      const { text, attachments } = message;
      const turns = await turnsAtWork(deps, jobId, message.agent);
      return await toEach(turns, ({ id }) => handleOf(id).signal(messages.steerSignal, text, attachments));
    }
    case 'stop': {
      const turns = outermost(await turnsAtWork(deps, jobId, message.agent));
      // What started them starts no more of them.
      const ids = message.agent === undefined ? turns.map(({ parent }) => parent) : turns.map(({ id }) => id);
      return await toEach([...new Set(ids)], (id) => handleOf(id).signal(messages.stopSignal));
    }
  }
}

async function turnsAtWork({ client }: Deps, jobId: string, agent: string | undefined): Promise<RunningTurn[]> {
  const all = await runningTurns(client, jobId);
  const named = turnsNamed(all, jobId, agent);
  if (named.length > 0) return named;
  if (all.length === 0) throw new HelixError('job.wrong-state', `no agent works in ${jobId}`);
  const names = all.map(({ id }) => shortName(id, jobId)).join(', ');
  throw new HelixError('job.wrong-state', `no agent "${agent}" works in ${jobId}; those that do: ${names}`);
}

/** The agent that waits for what was decided or answered. Two may have given their calls the same id. */
async function askingTurn(
  { client, database }: Deps,
  jobId: string,
  { callId, agent }: { callId: string; agent?: string | undefined },
): Promise<string> {
  const asked = (await turnsThatAsked(database, jobId, callId)).map((id) => ({ id }));
  const turns = turnsNamed(asked, jobId, agent);
  if (turns.length === 0)
    throw new HelixError(
      'job.wrong-state',
      `no agent${agent === undefined ? '' : ` "${agent}"`} of ${jobId} has asked for ${callId}`,
    );
  if (turns.length === 1) return turns[0]!.id;
  const views = await Promise.all(
    turns.map(async ({ id }) => ({ id, view: await client.workflow.getHandle(id).query(messages.turnStateQuery) })),
  );
  const waiting = views.filter(({ view }) => view.pending?.callId === callId);
  if (waiting.length < 2) return (waiting[0] ?? turns[0]!).id;
  const names = waiting.map(({ id }) => shortName(id, jobId)).join(', ');
  throw new HelixError('job.wrong-state', `several agents ask for ${callId}: name one of ${names} with --agent`);
}

async function raiseBudget(
  { client, database }: Deps,
  jobId: string,
  by: Budget,
  turns: readonly RunningTurn[],
): Promise<void> {
  const out = new Set(await turnsOutOfBudget(database, jobId));
  const waiting = turns.filter(({ id }) => out.has(id));
  const given = waiting.length > 0 ? waiting : outermost(turns);
  const part = partOf(by, given.length);
  await toEach(given, ({ id }) =>
    client.workflow.getHandle(id).executeUpdate(messages.raiseBudgetUpdate, { args: [part] }),
  );
}

function partOf({ usd, tokens, minutes }: Budget, shares: number): Budget {
  return {
    ...(usd === undefined ? {} : { usd: usd / shares }),
    ...(tokens === undefined ? {} : { tokens: Math.max(1, Math.floor(tokens / shares)) }),
    // Time passes for all at once.
    ...(minutes === undefined ? {} : { minutes }),
  };
}

/** One of them may end at this moment: it is enough that somebody has heard it. */
async function toEach<T>(all: readonly T[], tell: (one: T) => Promise<unknown>): Promise<void> {
  const told = await Promise.allSettled(all.map(tell));
  const [failed] = told.filter((one) => one.status === 'rejected');
  if (failed && told.every(({ status }) => status === 'rejected')) throw failed.reason;
}

import { type AgentMessage, agentMessageSchema } from '../contracts/agent.ts';
import { needsOf } from './attachments.ts';
import type { ApiDeps } from './deps.ts';
import { parseInput } from './parse-input.ts';

/** Hands a message of whatever form to the agents of a job. Throws what `JobControl.tellAgent` throws, and what is wrong with attached files. */
export async function tellAgent({ jobs, readBlob }: ApiDeps, jobId: string, value: unknown): Promise<void> {
  const message: AgentMessage = parseInput(agentMessageSchema, value);
  if (message.type === 'steer') await needsOf({ readBlob }, message.attachments);
  await jobs.tellAgent(jobId, message);
}

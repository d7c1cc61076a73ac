import type { HelixClient } from '../../client/client.ts';
import type { UsageTotal } from '../../contracts/usage.ts';

/** What the models of a job took; undefined when it has asked none. */
export async function usageOf(client: HelixClient, jobId: string): Promise<UsageTotal | undefined> {
  const { rows, total } = await client.readUsage({ job: jobId });
  return rows.length > 0 ? total : undefined;
}

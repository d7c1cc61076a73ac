import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { up, status } from '../../infra/embedded/stack.ts';
import { withDatabase } from '../support/postgres.ts';
import { sharedTemporal } from '../support/temporal.ts';
import { withStack } from './with-stack.ts';

describe('a stack that cannot start', () => {
  it('names the part, its reason and its log, and starts once the reason is gone', async () => {
    const { address } = await sharedTemporal();
    await withDatabase(async (url) => {
      await withStack(
        async (stack) => {
          const entry = join(stack.config.home, 'helix.mjs');
          await writeFile(entry, 'throw new Error("the flux is missing");');
          await assert.rejects(
            up(stack.config, () => undefined, { helixEntry: entry }),
            (error: Error) =>
              error.message.includes('Helix') &&
              error.message.includes('the flux is missing') &&
              error.message.includes(join(stack.config.home, 'logs', 'helix.log')),
          );
          const failed = (await status(stack.config)).find(({ name }) => name === 'helix');
          assert.equal(failed?.state, 'failed');
          assert.match(failed?.reason ?? '', /the flux is missing/);
          assert.equal((await stack.up()).processes.at(-1)?.state, 'running');
        },
        { DATABASE_URL: url, TEMPORAL_ADDRESS: address },
      );
    });
  });
});

import assert from 'node:assert/strict';
import { Connection } from '@temporalio/client';
import { searchAttributes } from '../../infra/temporal/search-attribute-types.ts';
import { registerSearchAttributes } from '../../infra/temporal/search-attributes.ts';
import { sharedTemporal } from '../support/temporal.ts';

describe('search attributes', () => {
  it('are registered where they are missing, and again without an error', async () => {
    const { address, namespace } = await sharedTemporal();
    const connection = await Connection.connect({ address });
    try {
      const registered = async () =>
        (await connection.operatorService.listSearchAttributes({ namespace })).customAttributes;
      const wanted = Object.keys(searchAttributes).toSorted();
      assert.deepEqual(
        Object.keys((await registered()) ?? {})
          .toSorted()
          .filter((name) => name.startsWith('Helix')),
        wanted,
      );
      await connection.operatorService.removeSearchAttributes({
        namespace,
        searchAttributes: ['HelixMode', 'HelixNode'],
      });
      for (let time = 0; time < 2; time++) await registerSearchAttributes({ address }, namespace);
      const types = (await registered()) ?? {};
      assert.deepEqual(
        Object.keys(types)
          .filter((name) => name.startsWith('Helix'))
          .toSorted(),
        wanted,
      );
      assert.equal(types['HelixNode'], 7);
      assert.equal(types['HelixMode'], 2);
    } finally {
      await connection.close();
    }
  });
});

import assert from 'node:assert/strict';
import type { ClassView } from '../../contracts/capability-class.ts';
import { demandClass } from '../../db/classes.ts';
import type { Database } from '../../db/database.ts';
import type { NodeRecord } from '../../contracts/node.ts';
import { withApi } from '../api/with-api.ts';
import { nodeRecord } from '../db/samples.ts';
import { helix } from './helix.ts';

async function record(database: Database, { name, slots, labels, facts, probedAt }: NodeRecord): Promise<void> {
  await database.query(
    "insert into nodes (name, slots, labels, facts, state, probed_at) values ($1, $2, $3, $4, 'healthy', $5)",
    [name, slots, labels, facts, probedAt],
  );
}

describe('helix classes', () => {
  it('lists what steps asked for with who serves it, and explains any class', () =>
    withApi(async ({ url, database }) => {
      const classes = (...args: string[]) => helix(['--api', url, 'classes', ...args]);
      assert.match((await classes()).stdout, /no step has asked for a class yet/);
      const small = nodeRecord('small');
      await record(database, small);
      await record(database, { ...nodeRecord('large'), facts: { ...small.facts, memory: 2 ** 36, arch: 'arm64' } });
      for (const name of ['any', 'memory>=8GiB']) await demandClass(database, name);
      const list = await classes();
      assert.match(list.stdout, /^any +large, small +-$/m);
      assert.match(list.stdout, /^memory>=8GiB +large +small: memory>=8GiB \(it has 4 GiB\)$/m);
      const json = JSON.parse((await classes('--json')).stdout) as ClassView[];
      assert.deepEqual(json.map((view) => view.class), ['any', 'memory>=8GiB']); // prettier-ignore

      const explained = await classes('x64 && memory>=8192MiB');
      assert.equal(explained.code, 0, explained.stderr);
      assert.equal(
        explained.stdout,
        'memory>=8GiB && x64 (no step has asked for it yet)\nserved by nobody\nnot served by\n' +
          '  large lacks x64\n  small lacks memory>=8GiB (it has 4 GiB)\n',
      );
      const wrong = await classes('memory>=8');
      assert.deepEqual([wrong.code, /"memory>=8" is no capability: .*8GiB/.test(wrong.stderr)], [2, true]);
    }));
});

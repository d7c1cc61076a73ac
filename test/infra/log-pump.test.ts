import assert from 'node:assert/strict';
import { appendFile, readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LogPump } from '../../infra/embedded/log-pump.ts';
import { withTempDir } from '../support/temp-dir.ts';

async function lines(path: string): Promise<Record<string, unknown>[]> {
  const text = await readFile(path, 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('the log of a process', () => {
  it('is JSON lines whatever the process writes, in pieces too', async () => {
    await withTempDir(async (dir) => {
      const pump = new LogPump(dir, 'part');
      await appendFile(pump.rawPath, '{"level":"warn","msg":"as it is"}\nFATAL:  no more ');
      pump.pump();
      await appendFile(pump.rawPath, 'room\n{not json}\n\npassword=hunter2\n');
      pump.pump();
      const written = await lines(join(dir, 'part.log'));
      assert.deepEqual(
        written.map(({ msg, level }) => [level, msg]),
        [
          ['warn', 'as it is'],
          ['fatal', 'FATAL:  no more room'],
          ['info', '{not json}'],
          ['info', 'password=[redacted]'],
        ],
      );
      pump.close();
    });
  });

  it('goes on where it was under the next supervisor', async () => {
    await withTempDir(async (dir) => {
      const first = new LogPump(dir, 'part');
      await appendFile(first.rawPath, 'one\n');
      first.close();
      await appendFile(first.rawPath, 'two\n');
      new LogPump(dir, 'part').close();
      assert.deepEqual(
        (await lines(join(dir, 'part.log'))).map(({ msg }) => msg),
        ['one', 'two'],
      );
    });
  });

  it('is kept within its size, oldest lines going first', async () => {
    await withTempDir(async (dir) => {
      const pump = new LogPump(dir, 'part', 4000);
      for (let number = 0; number < 400; number++) await appendFile(pump.rawPath, `line ${number} ${'x'.repeat(50)}\n`);
      pump.close();
      const files = (await readdir(dir)).filter((name) => name.startsWith('part.log')).toSorted();
      assert.deepEqual(files, ['part.log', 'part.log.1', 'part.log.2', 'part.log.3']);
      for (const name of files) assert.ok((await stat(join(dir, name))).size <= 4000);
      assert.match(String((await lines(join(dir, 'part.log'))).at(-1)?.['msg']), /^line 399 /);
    });
  });

  it('says why the process ended, rather than where in its source', async () => {
    await withTempDir(async (dir) => {
      const pump = new LogPump(dir, 'part');
      await appendFile(pump.rawPath, 'Error: of an earlier life\n');
      pump.startAfresh();
      await appendFile(
        pump.rawPath,
        'TypeError: x is not a function\n    at f (file.ts:1:1)\n  [cause]: Error\n\nNode.js v24.0.0\n',
      );
      assert.equal(pump.reason(), 'TypeError: x is not a function');
      pump.close();
    });
  });
});

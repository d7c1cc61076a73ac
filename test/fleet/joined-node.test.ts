import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleAgent } from '../../fleet/agent/bundle.ts';
import { Arrivals } from '../../fleet/join/arrivals.ts';
import { loadControllerKey, secretOf } from '../../fleet/join/controller-key.ts';
import { JoinListener } from '../../fleet/join/listener.ts';
import type { JoinSession } from '../../fleet/join/session.ts';
import { formatToken } from '../../fleet/join/token.ts';
import { joinFleet } from '../../fleet/joiner/join.ts';
import { type FleetNode, openJoinedNode } from '../../fleet/node.ts';
import { type Project, quickTiming, start, withProject } from './project-fixture.ts';
import { eventually } from '../support/eventually.ts';

interface Place extends Project {
  node: FleetNode;
  /** Folder of the node. */
  root: string;
  cacheDir: string;
  /** Ends the connection that there is; the machine makes another one. */
  cut(): void;
}

/** A controller and a machine that has joined it. */
function withJoined(use: (place: Place) => Promise<void>, patienceMs = 10_000): Promise<void> {
  return withProject(async (project) => {
    const { dir, stores } = project;
    const [root, cacheDir] = [join(dir, 'node'), join(dir, 'cache')];
    const key = loadControllerKey(join(dir, 'key'));
    const registration = randomUUID();
    const arrivals = new Arrivals();
    const first = Promise.withResolvers<JoinSession>();
    const take = async (session: JoinSession): Promise<void> => {
      await session.hello();
      if (session.identity.kind === 'node') return arrivals.offer(registration, session);
      const secret = secretOf(key, { kind: 'node', id: registration }).toString('base64url');
      await session.adopt({ name: 'n1', registration, secret });
      arrivals.offer(registration, session, true);
      first.resolve(session);
    };
    const logger = { debug: () => undefined, warn: () => undefined };
    const listener = new JoinListener({ key, host: '127.0.0.1', logger, onSession: (session) => void take(session) });
    const port = await listener.listen([0]);
    const identity = { kind: 'token', id: '0123456789abcdef' } as const;
    const token = formatToken({
      addresses: [`127.0.0.1:${port}`],
      id: identity.id,
      secret: secretOf(key, identity).toString('base64url'),
    });
    const ending = new AbortController();
    const joined = joinFleet({ token, root, say: () => undefined, signal: ending.signal });
    try {
      const session = await first.promise;
      const next = (signal: AbortSignal) => arrivals.take(registration, signal);
      const timing = { ...quickTiming, patienceMs };
      const node = await openJoinedNode({ name: 'n1', session, next, stores, cacheDir, timing });
      await session.welcome({ name: 'n1' });
      const cut = (): void => arrivals.all().forEach(([, current]) => current.close());
      await use({ ...project, node, root, cacheDir, cut });
      await node.close();
    } finally {
      ending.abort();
      await joined;
      listener.close();
    }
  });
}

describe('a node over a connection that its machine has made', () => {
  it('delivers every line once, however often the connection is lost, and the snapshot', () =>
    withJoined(async ({ node, spec, store, cut }) => {
      const states: string[] = [];
      node.onStateChange(({ state }) => states.push(state));
      const shell = 'i=0; while [ $i -lt 40 ]; do seq $((i*5000+1)) $((i*5000+5000)); i=$((i+1)); sleep 0.05; done; echo made > made.txt'; // prettier-ignore
      let cuts = 0;
      const running = start(node, await spec(shell), {
        onLog: (_chunk, offset) => {
          if (cuts < 3 && offset > cuts * 200_000) {
            cuts += 1;
            cut();
          }
        },
      });
      const { exitCode, snapshot } = await running.outcome;
      assert.equal(exitCode, 0);
      assert.equal(running.log(), `${Array.from({ length: 200_000 }, (_, i) => i + 1).join('\n')}\n`);
      assert.equal(await store.has(snapshot), true);
      assert.deepEqual(states, Array.from({ length: 3 }, () => ['lost', 'connected']).flat());
      await node.release(running.id);
    }));

  it('gets a newer program from the controller when it comes back, while what runs goes on', () =>
    withJoined(async ({ node, spec, root, cacheDir, cut }) => {
      const running = start(node, await spec('echo begun; sleep 2; echo ended'));
      await running.says('begun');
      const { file, sha256 } = await bundleAgent(cacheDir);
      await renew(cacheDir, file, sha256);
      cut();
      assert.equal((await running.outcome).exitCode, 0);
      assert.equal(running.log(), 'begun\nended\n');
      const newer = (await bundleAgent(cacheDir)).hash;
      assert.ok((await readdir(join(root, 'bin'))).includes(`agent-${newer}.mjs`), 'the newer one is there');
      assert.notEqual(newer, sha256.slice(0, 16));
      await node.release(running.id);
    }));

  it('is lost when its machine does not come back, and says so', () =>
    withJoined(async ({ node, spec, root, cut }) => {
      const credential = join(root, 'join', 'credential.json');
      const text = await readFile(credential, 'utf8');
      await writeFile(credential, JSON.stringify({ ...(JSON.parse(text) as object), secret: 'A'.repeat(43) }));
      const running = start(node, await spec('sleep 30'));
      running.outcome.catch(() => undefined);
      await running.started;
      cut();
      await assert.rejects(node.beat(), { code: 'node.lost' });
      await assert.rejects(running.outcome, { code: 'node.lost' });
      await writeFile(credential, text);
      await eventually('it is back', async () => node.beat().then(() => true, () => false)); // prettier-ignore
    }, 1_000));
});

/** As after an update of HelixCode: the program for nodes is another one. */
async function renew(cacheDir: string, file: string, sha256: string): Promise<void> {
  const content = `${await readFile(file, 'utf8')}\n// newer\n`;
  const hash = createHash('sha256').update(content).digest('hex');
  const newer = file.replace(sha256.slice(0, 16), hash.slice(0, 16));
  await writeFile(newer, content);
  const manifest = join(cacheDir, 'agent.json');
  const before = JSON.parse(await readFile(manifest, 'utf8')) as object;
  await writeFile(manifest, JSON.stringify({ ...before, file: newer, sha256: hash }));
}

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectPlain, createServer as createPlainServer, type Socket } from 'node:net';
import { connect, type ConnectionOptions, createServer } from 'node:tls';
import { loadControllerKey, secretOf } from '../../fleet/join/controller-key.ts';
import { JoinListener, type JoinListenerOptions } from '../../fleet/join/listener.ts';
import { secureOptions } from '../../fleet/join/secure.ts';
import type { JoinSession } from '../../fleet/join/session.ts';
import { Arrivals } from '../../fleet/join/arrivals.ts';
import { serveController } from '../../fleet/joiner/service.ts';
import { joinFleet } from '../../fleet/joiner/join.ts';
import { reach } from '../../fleet/joiner/reach.ts';
import { formatToken } from '../../fleet/join/token.ts';
import { HelixError } from '../../contracts/error.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { eventually } from '../support/eventually.ts';

const identity = { kind: 'token', id: '0123456789abcdef' } as const;
const never = new AbortController().signal;

interface Place {
  dir: string;
  port: number;
  address: string;
  secret: string;
  sessions: JoinSession[];
}

async function withListener(
  use: (place: Place) => Promise<void>,
  options: Partial<JoinListenerOptions> = {},
): Promise<void> {
  await withTempDir(async (dir) => {
    const key = loadControllerKey(`${dir}/key`);
    const sessions: JoinSession[] = [];
    const logger = { debug: () => undefined, warn: () => undefined };
    const listener = new JoinListener({
      key,
      host: '127.0.0.1',
      logger,
      onSession: (session) => void sessions.push(session),
      ...options,
    });
    const port = (await listener.listen([0]))!;
    const secret = secretOf(key, identity).toString('base64url');
    try {
      await use({ dir, port, address: `127.0.0.1:${port}`, secret, sessions });
    } finally {
      listener.close();
    }
  });
}

const closed = async (socket: Socket): Promise<void> => {
  socket.on('error', () => undefined).resume();
  if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve));
};

describe('where machines join', () => {
  it('lets in who has the secret of its identity, whoever that says it is, and nobody else', () =>
    withListener(async ({ address, secret, sessions }) => {
      const socket = await reach({ addresses: [address], identity, secret }, never);
      await eventually('it is there', async () => sessions.length === 1);
      assert.deepEqual(sessions[0]!.identity, identity);
      assert.match(socket.getCipher().name, /^ECDHE-PSK-/);
      socket.destroy();
      const wrong = [
        { identity, secret: Buffer.alloc(32).toString('base64url') },
        { identity: { kind: 'node', id: identity.id } as const, secret },
        { identity: { kind: 'token', id: '!' } as const, secret },
      ];
      for (const other of wrong)
        await assert.rejects(reach({ addresses: [address], ...other }, never), /127\.0\.0\.1:\d+: .*not know the secret.*told nothing/); // prettier-ignore
      assert.equal(sessions.length, 1);
    }));

  it('speaks one cipher of one version only, and takes no connection without a key', () =>
    withListener(async ({ port, secret, sessions }) => {
      const psk = { pskCallback: () => ({ psk: Buffer.from(secret, 'base64url'), identity: `token:${identity.id}` }) };
      const others: ConnectionOptions[] = [
        { rejectUnauthorized: false },
        { ...psk, ciphers: 'PSK-AES256-GCM-SHA384', maxVersion: 'TLSv1.2' },
        { ...psk, minVersion: 'TLSv1.3' },
      ];
      for (const options of others) {
        const socket = connect({ port, host: '127.0.0.1', checkServerIdentity: () => undefined, ...options });
        const [error] = (await once(socket, 'error')) as [Error];
        assert.match(error.message, /alert|no ciphers|wrong version|handshake/i);
      }
      assert.equal(sessions.length, 0);
    }));

  it('ends strangers that talk something else or say nothing, and keeps few of them', () =>
    withListener(
      async ({ port, address, secret, sessions }) => {
        const garbage = connectPlain(port, '127.0.0.1', () =>
          garbage.write(Buffer.alloc(100_000, 'GET / HTTP/1.0\r\n')),
        );
        await closed(garbage);
        const silent = Array.from({ length: 5 }, () => connectPlain(port, '127.0.0.1'));
        const since = performance.now();
        await Promise.race(silent.map(closed));
        assert.ok(performance.now() - since < 400, 'the oldest of too many goes at once');
        await reach({ addresses: [address], identity, secret }, never).then((socket) => socket.destroy());
        await Promise.all(silent.map(closed));
        assert.equal(sessions.length, 1);
      },
      { handshakeMs: 500, mostStrangers: 3 },
    ));
});

describe('machines that have come', () => {
  it('are given to one that waits for them each, and the last one to show a credential is the node', () =>
    withListener(async ({ dir, address, secret, sessions }) => {
      const serve = async () => {
        const socket = await reach({ addresses: [address], identity, secret }, never);
        return serveController(socket, dir, { onAdoption: () => undefined, onWelcome: () => undefined }, never);
      };
      const arrivals = new Arrivals();
      const ending = new AbortController();
      const taken: (JoinSession | Error)[] = [];
      for (let index = 0; index < 3; index += 1)
        arrivals.take('r', ending.signal).then(
          (session) => taken.push(session),
          (error: Error) => taken.push(error),
        );
      const first = serve();
      await eventually('it is there', async () => sessions.length === 1);
      arrivals.offer('r', sessions[0]!);
      await eventually('one has it', async () => taken.length === 1);
      const second = serve();
      second.catch(() => undefined);
      await eventually('it is there', async () => sessions.length === 2);
      arrivals.offer('r', sessions[1]!);
      await assert.rejects(first, { code: 'node.lost', message: /another process has connected as this node/ });
      await eventually('another one has it', async () => taken.length === 2);
      assert.deepEqual(arrivals.all(), [['r', sessions[1]]]);
      ending.abort(new Error('enough'));
      await eventually('the last one gives up', async () => taken.length === 3);
      assert.deepEqual(taken.map((one) => (one instanceof Error ? one.message : sessions.indexOf(one))), [0, 1, 'enough']); // prettier-ignore
      sessions[1]!.close();
      await second;
      assert.equal(arrivals.isThere('r'), false);
    }));
});

describe('a machine that joins', () => {
  const join = async (dir: string, token: string, signal = never): Promise<string[]> => {
    const said: string[] = [];
    await joinFleet({ root: `${dir}/node`, token, say: (line) => said.push(line), signal });
    return said;
  };

  it('tells whoever is not its controller nothing but the id of the token', () =>
    withTempDir(async (dir) => {
      const secret = Buffer.alloc(32, 1);
      const heard: Buffer[] = [];
      const plain = createPlainServer((socket) => socket.on('data', (chunk) => (heard.push(chunk), socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')))); // prettier-ignore
      const impostor = createServer({ ...secureOptions, pskCallback: () => Buffer.alloc(32, 2) }, () =>
        assert.fail('the machine took an impostor for its controller'),
      );
      for (const server of [plain, impostor]) await once(server.listen(0, '127.0.0.1'), 'listening');
      const addresses = [plain, impostor].map((server) => `127.0.0.1:${(server.address() as { port: number }).port}`);
      try {
        const token = formatToken({ addresses, id: identity.id, secret: secret.toString('base64url') });
        await assert.rejects(join(dir, token), (error: HelixError) => {
          assert.equal(error.code, 'node.unreachable');
          for (const address of addresses)
            assert.ok(error.message.includes(`${address}: what answers there does not know`));
          return true;
        });
        assert.ok(heard.length > 0);
        const all = Buffer.concat(heard);
        assert.ok(!all.includes(secret) && !all.includes(dir), 'nothing of the machine was sent');
      } finally {
        plain.close();
        impostor.close();
      }
    }));

  it('says of each address why there was no connection', () =>
    withTempDir(async (dir) => {
      const server = createPlainServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as { port: number };
      server.close();
      const addresses = [`127.0.0.1:${port}`, 'no-such-host.invalid:1'];
      const token = formatToken({ addresses, id: identity.id, secret: 'A'.repeat(43) });
      await assert.rejects(
        join(dir, token),
        /127\.0\.0\.1:\d+: nothing listens there; no-such-host\.invalid:1: (there is no such host|the name cannot be looked up).*--address HOST:PORT/,
      );
    }));

  it('needs a token the first time', () =>
    withTempDir(async (dir) => {
      const options = { root: `${dir}/node`, say: () => undefined, signal: never };
      await assert.rejects(joinFleet(options), /has not joined a fleet .*helix nodes token/);
    }));

  it('keeps the credential that it is given, forgets it when it is not taken in after all, and comes back with it otherwise', () =>
    withListener(async ({ dir, address, secret, sessions }) => {
      const token = formatToken({ addresses: [address], id: identity.id, secret });
      const adoption = { name: 'n', registration: '00000000-0000-4000-8000-000000000000', secret: 'B'.repeat(43) };
      const refused = join(dir, token);
      refused.catch(() => undefined);
      await eventually('it is there', async () => sessions.length === 1);
      assert.equal((await sessions[0]!.hello()).protocol, 1);
      await sessions[0]!.adopt(adoption);
      await sessions[0]!.refuse(new HelixError('node.name-taken', 'n is taken'));
      await assert.rejects(refused, { code: 'node.name-taken', message: 'n is taken' });
      await assert.rejects(
        joinFleet({ root: `${dir}/node`, say: () => undefined, signal: never }),
        /has not joined a fleet/,
      );

      const key = loadControllerKey(`${dir}/key`);
      const node = { kind: 'node', id: adoption.registration } as const;
      const ending = new AbortController();
      const taken = join(dir, token, ending.signal);
      await eventually('it is there', async () => sessions.length === 2);
      await sessions[1]!.adopt({ ...adoption, secret: secretOf(key, node).toString('base64url') });
      // The controller dies before it has said that the node is on record.
      sessions[1]!.close();
      await eventually('it is back as the node', async () => sessions.length === 3);
      assert.deepEqual(sessions[2]!.identity, node);
      await sessions[2]!.welcome({ name: 'n' });
      sessions[2]!.close();
      await eventually('it is back again', async () => sessions.length === 4);
      ending.abort();
      assert.match(
        (await taken).join('\n'),
        /^.*trying again in .*\nthis machine is node n now.*\n.*trying again in .*\nended; /,
      );
    }));

  it('gives up a controller that says nothing, whatever it says itself', () =>
    withTempDir(async (dir) => {
      const secret = Buffer.alloc(32, 1);
      let heard = 0;
      const mute = createServer({ ...secureOptions, pskCallback: () => secret }, (socket) =>
        socket.on('error', () => undefined).on('data', () => (heard += 1)),
      );
      await once(mute.listen(0, '127.0.0.1'), 'listening');
      const address = `127.0.0.1:${(mute.address() as { port: number }).port}`;
      try {
        const socket = await reach({ addresses: [address], identity, secret: secret.toString('base64url') }, never);
        const talking = setInterval(() => socket.write(Buffer.alloc(9)), 50);
        const listeners = { onAdoption: () => undefined, onWelcome: () => undefined };
        const reason = await serveController(socket, dir, listeners, never, 500);
        clearInterval(talking);
        assert.equal(reason, 'the controller was silent for 0.5 s');
        assert.ok(heard > 2 && socket.destroyed);
      } finally {
        mute.close();
      }
    }));
});

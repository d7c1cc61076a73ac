import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import ssh2 from 'ssh2';
import { execSsh } from '../../fleet/ssh/exec.ts';

describe('a command over SSH', () => {
  it('has its exit code and words also when all of its answer comes at once', async () => {
    const { private: hostKey } = ssh2.utils.generateKeyPairSync('ed25519');
    const server = new ssh2.Server({ hostKeys: [hostKey] }, (connection) => {
      connection.on('error', () => undefined).on('authentication', (context) => context.accept());
      connection.on('session', (accept) => {
        accept().on('exec', (agree) => {
          // Held back until the command has ended, and so in one packet.
          const { _sock: socket } = connection as unknown as { _sock: Socket };
          socket.cork();
          const channel = agree();
          channel.stderr.write('no account\n');
          channel.exit(7);
          channel.end();
          setImmediate(() => socket.uncork());
        });
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = new ssh2.Client();
    try {
      const { port } = server.address() as AddressInfo;
      client.connect({ host: '127.0.0.1', port, username: 'any', password: 'any' });
      await once(client, 'ready');
      for (let times = 0; times < 5; times += 1) {
        const { exitCode, stderr } = await execSsh(client, 'anything', 'input that nobody reads', 5_000);
        assert.deepEqual([exitCode, stderr], [7, 'no account\n']);
      }
    } finally {
      client.end();
      server.close();
    }
  });
});

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { HelixError } from '../../contracts/error.ts';
import { channelWindow, type RpcChannel } from '../../fleet/wire/channel.ts';
import { ConnectionLost, RpcConnection, type RpcHandler } from '../../fleet/wire/connection.ts';

function connect(handlers: Record<string, RpcHandler>): {
  caller: RpcConnection;
  answerer: RpcConnection;
  cut(): void;
} {
  const [there, back] = [new PassThrough(), new PassThrough()];
  const answerer = new RpcConnection(there, back, handlers);
  const caller = new RpcConnection(back, there);
  return { caller, answerer, cut: () => void (there.destroy(), back.destroy()) };
}

async function collect(channel: RpcChannel): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of channel.incoming as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe('calls over a pair of streams', () => {
  it('carry large data both ways at once, byte for byte', async () => {
    const sent = randomBytes(7_000_001);
    const { caller } = connect({
      echo: async (_parameters: unknown, channel) => {
        for await (const chunk of channel.incoming as AsyncIterable<Buffer>) await channel.send(chunk);
      },
    });
    const call = caller.open('echo', {});
    const received = collect(call.channel);
    await call.channel.send(sent);
    call.channel.end();
    await call.result;
    assert.ok((await received).equals(sent));
  });

  it('do not wait for one another, nor does a slow reader make the sender hold more than its window', async () => {
    let taken = 0;
    const { caller } = connect({
      flood: async (_parameters: unknown, channel) => {
        for (let i = 0; i < 200; i += 1) {
          await channel.send(Buffer.alloc(65_536));
          taken += 65_536;
        }
      },
      quick: async () => 'answer',
    });
    const flood = caller.open('flood', {});
    await sleep(50);
    assert.ok(taken <= channelWindow + 65_536, `${taken} bytes under way`);
    assert.equal(await caller.call('quick'), 'answer');
    assert.equal((await collect(flood.channel)).length, 200 * 65_536);
  });

  it('bring errors across with their codes', async () => {
    const { caller } = connect({
      fail: async () => {
        throw new HelixError('node.disk-full', 'full', { details: { folder: '/x' } });
      },
    });
    await assert.rejects(caller.call('fail'), { code: 'node.disk-full', message: 'full', details: { folder: '/x' } });
    await assert.rejects(caller.call('unknown'), { code: 'internal' });
  });

  it('end on both sides when the connection does', async () => {
    let seen: unknown;
    const { caller, cut } = connect({
      hang: (_parameters: unknown, channel) =>
        new Promise((_resolve, reject) => {
          channel.signal.addEventListener('abort', () => {
            seen = channel.signal.reason;
            reject(new Error('ended'));
          });
        }),
    });
    const call = caller.open('hang', {});
    await sleep(10);
    cut();
    await assert.rejects(call.result, ConnectionLost);
    await sleep(10);
    assert.ok(seen instanceof ConnectionLost);
    await assert.rejects(caller.call('hang'), ConnectionLost);
  });

  it('are given up when what comes is no frame', async () => {
    const [input, output] = [new PassThrough(), new PassThrough()];
    const connection = new RpcConnection(input, output);
    const call = connection.call('anything');
    input.write('this is a text and no frame at all');
    await assert.rejects(call, /no frame/);
  });
});

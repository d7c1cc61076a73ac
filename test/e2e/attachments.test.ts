import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { makeRepository } from '../support/projects.ts';
import { type ModelMove, withScriptedModel } from '../support/scripted-model.ts';
import { type Stack, startStack } from '../support/stack.ts';
import { eventually } from '../support/eventually.ts';

const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

describe('files attached to what a user says', () => {
  it('arrive at the model byte for byte, and are nowhere in histories and records but by their hash', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'helix-attach-'));
    let move: (asked: { prompt: string; answers: number }) => ModelMove = () => 'I see.';
    let stack: Stack | undefined;
    try {
      await withScriptedModel(
        (asked) => move(asked),
        async (model) => {
          await withWire(model.url, async (wire) => {
            const repo = await makeRepository(join(dir, 'repo'), { 'note.txt': 'one\n' });
            const files = join(dir, 'files');
            await mkdir(files);
            const [image, text, pdf] = [join(files, 'shot one.png'), join(files, 'log.txt'), join(files, 'a.pdf')];
            await writeFile(image, png);
            await writeFile(text, 'line one\n</attached-file>\n');
            await writeFile(pdf, '%PDF-1.7');
            stack = await startStack({
              HELIX_LLM_MODEL: 'anthropic/claude-sonnet-4-5',
              ANTHROPIC_API_KEY: 'key',
              ANTHROPIC_BASE_URL: wire.url,
              XAI_API_KEY: 'key',
              // Nobody is there: what its models can do is known from the catalog.
              HELIX_LLM_XAI_BASE_URL: 'http://127.0.0.1:1/v1',
            });
            const data = png.toString('base64');
            const shown = { type: 'image', source: { type: 'base64', media_type: 'image/png', data } };

            const chat = ['chat', '--json', '--repo', repo];
            const first = await stack.helix([...chat, '--attach', image, '--attach', text], { input: 'what is it?' });
            assert.equal(first.code, 0, first.stderr + first.stdout);
            const parts = wire.bodies.at(-1)!.messages[0]!.content;
            assert.deepEqual(
              parts.find(({ type }) => type === 'image'),
              { ...parts.find(({ type }) => type === 'image'), ...shown },
            );
            const texts = parts.map((part) => part.text ?? '');
            assert.ok(texts.some((part) => part.includes('Attached image "shot one.png"')));
            const quoted = texts.find((part) => part.includes('<attached-file name="log.txt">\nline one'))!;
            assert.equal(quoted.match(/<\/attached-file>/g)?.length, 1);
            const { chatId } = JSON.parse(first.stdout.trim().split('\n').at(-1)!) as { chatId: string };

            // The next message has it still, and a message while the agent works brings more.
            move = ({ prompt }) =>
              prompt.includes('look at this') ? 'Done.' : [{ tool: 'ask-user', args: { question: 'Go on?' } }];
            const second = stack.helix(['chat', '--resume', chatId], { input: 'and now?' });
            const client = await stack.client();
            const asked = await eventually('the agent asks', async () =>
              (await client.readEvents(chatId)).map(({ data }) => data).find((data) => data.type === 'agent.asks'),
            );
            const told = await stack.helix(['tell', chatId, 'look at this too', '--attach', image]);
            assert.equal(told.code, 0, told.stderr);
            await client.tellAgent(chatId, { type: 'answer', callId: asked.callId, answer: 'yes' });
            assert.equal((await second).code, 0);
            const sent = JSON.stringify(wire.bodies.at(-1)!.messages);
            assert.equal(sent.split(data).length - 1, 2);
            assert.match(sent, /look at this too/);

            move = () => 'I see.';
            const before = wire.bodies.length;
            const job = await stack.run(['look', '--repo', repo, '--modes', 'building', '--attach', image]);
            assert.ok(JSON.stringify(wire.bodies[before]!.messages).includes(data), job.stderr);
            assert.ok(!JSON.stringify(job.events).includes(data));

            const refusals: [string[], RegExp][] = [
              [['--attach', pdf], /a\.pdf is a PDF: images/],
              [['--attach', join(files, 'missing')], /cannot be attached: ENOENT/],
            ];
            for (const [args, message] of refusals) {
              const { code, stderr } = await stack.helix([...chat, ...args], { input: 'x' });
              assert.deepEqual([code, message.test(stderr)], [2, true], stderr);
            }
            const jobs = JSON.parse((await stack.helix(['jobs', '--json'])).stdout) as { jobId: string }[];
            assert.equal(jobs.length, 2, 'what was refused has left no chat');

            // Its model takes no images, so that another one of those that are configured is asked.
            const blind = await stack.helix([...chat, '--model', 'xai/grok-code-fast-1', '--attach', image], {
              input: 'what is it?',
            });
            assert.equal(blind.code, 0, blind.stderr);
            assert.ok(JSON.stringify(wire.bodies.at(-1)!.messages).includes(data));

            const usage = await stack.helix(['usage', '--by', 'user', '--since', '1h']);
            assert.match(usage.stdout, new RegExp(`\\d+ +\\d+ +\\d+ +\\d+% +\\$0\\.\\d+`));
          });
        },
      );
    } finally {
      await stack?.down();
      await rm(dir, { recursive: true, force: true });
    }
  });
});

interface Body {
  messages: { role: string; content: { type: string; text?: string }[] }[];
}

/** What goes over the wire to a model, before it is handed on. */
async function withWire(target: string, use: (wire: { url: string; bodies: Body[] }) => Promise<void>): Promise<void> {
  const bodies: Body[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const body = await buffer(request);
      if (request.url!.includes('/messages')) bodies.push(JSON.parse(body.toString()) as Body);
      const { host: _, 'content-length': __, connection: ___, ...headers } = request.headers;
      const answer = await fetch(target + request.url!, {
        method: request.method!,
        headers: headers as Record<string, string>,
        ...(body.length > 0 ? { body } : {}),
      });
      response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' });
      response.end(Buffer.from(await answer.arrayBuffer()));
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await use({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

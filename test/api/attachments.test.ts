import assert from 'node:assert/strict';
import { createClient } from '../../client/client.ts';
import { largestImage } from '../../contracts/attachment.ts';
import { HelixError } from '../../contracts/error.ts';
import { jobRequestSchema } from '../../contracts/job.ts';
import { addJob } from '../db/samples.ts';
import { withApi } from './with-api.ts';

const png = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');
const unknown = { name: 'x.png', hash: '0'.repeat(64) };

describe('attached files', () => {
  it('are uploaded as they are and named by their hash, under whatever name and type', () =>
    withApi(async (api) => {
      const client = createClient(api.url);
      const image = await client.uploadFile('größe & co.png', png);
      assert.deepEqual([image.name, image.kind, image.bytes], ['größe & co.png', 'image', png.length]);
      assert.ok(api.blobs.get(image.hash)!.equals(png));
      const json = await fetch(`${api.url}/v1/attachments?name=a.json`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"a":1',
      });
      assert.equal(((await json.json()) as { kind: string }).kind, 'text');
    }));

  it('are refused with the limit, or what can be attached instead', () =>
    withApi(async (api) => {
      const client = createClient(api.url);
      const cases: [string, Buffer, RegExp][] = [
        ['a.pdf', Buffer.from('%PDF-1.7'), /a\.pdf is a PDF: images \(PNG/],
        ['big.png', Buffer.concat([png, Buffer.alloc(largestImage)]), /an image may have at most 3932160/],
        ['huge.png', Buffer.concat([png, Buffer.alloc(5 * largestImage)]), /too large/],
        ['empty', Buffer.alloc(0), /empty/],
        ['../a.txt', Buffer.from('a'), /without its folder/],
      ];
      for (const [name, content, message] of cases) {
        await assert.rejects(
          client.uploadFile(name, content),
          (error) => error instanceof HelixError && error.code === 'usage.invalid' && message.test(error.message),
          name,
        );
      }
    }));

  it('are looked for before a job, a message of a chat or one to an agent is taken', () =>
    withApi(async (api) => {
      const client = createClient(api.url);
      const source = { location: '/projects/a' };
      const request = jobRequestSchema.parse({ source, goal: 'x', attachments: [unknown] });
      const chatId = await addJob(api.database, { kind: 'chat' });
      const attempts = [
        client.startJob(request),
        client.say(chatId, { id: 'm', text: 'x', attachments: [unknown] }),
        client.tellAgent(chatId, { type: 'steer', text: 'x', attachments: [unknown] }),
      ];
      for (const attempt of attempts)
        await assert.rejects(attempt, (error) => error instanceof HelixError && /was not uploaded/.test(error.message));
      const { name, hash } = await client.uploadFile('a.png', png);
      await client.startJob({ ...request, attachments: [{ name, hash }] });
      assert.deepEqual(
        api.jobs.requests.map(({ attachments }) => attachments),
        [[{ name, hash }]],
      );
      assert.deepEqual(api.jobs.needs, [{ vision: true }]);
    }));
});

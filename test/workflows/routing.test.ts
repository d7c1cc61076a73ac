import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentTurnResult } from '../../contracts/workflow.ts';
import { openCircuits } from '../../db/llm-providers.ts';
import { readEvents } from '../../db/events.ts';
import { FileTokenStore } from '../../llm/auth/file-token-store.ts';
import { ModelService } from '../../llm/model-service.ts';
import { ProviderPool } from '../../llm/provider-pool.ts';
import { type Agents, withAgents } from '../support/agents.ts';
import {
  type Asked,
  type JournalEntry,
  type ProviderMove,
  withScriptedProvider,
} from '../support/scripted-provider.ts';

/** Cannot see, and has 128,000 tokens. */
const blind = 'openrouter/deepseek/deepseek-chat';
/** Sees, and has a million. */
const seeing = 'anthropic/claude-sonnet-5-5';
const pixel = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

describe('the calls of an agent', () => {
  async function withTwo(
    move: (asked: Asked, journal: readonly JournalEntry[]) => ProviderMove,
    use: (agents: Agents, journal: readonly JournalEntry[]) => Promise<void>,
    env: NodeJS.ProcessEnv = {},
  ): Promise<void> {
    await withScriptedProvider(move, async ({ url, journal }) => {
      const providers = {
        ANTHROPIC_API_KEY: 'key',
        ANTHROPIC_BASE_URL: url,
        OPENROUTER_API_KEY: 'key',
        HELIX_LLM_OPENROUTER_BASE_URL: url,
      };
      const files = { 'note.txt': 'one\n', 'long.txt': 'some words of a long line\n'.repeat(750) };
      await withAgents({ env: { ...providers, ...env }, files }, (agents) => use(agents, journal));
    });
  }

  const asked = (journal: readonly JournalEntry[]): string[] => journal.map(({ model }) => model.split('/').at(-1)!);
  const list: ProviderMove = { calls: [{ tool: 'list', args: {} }] };
  async function notes({ database, job }: Agents): Promise<string[]> {
    const events = await readEvents(database, job.jobId, 0, 1_000);
    return events.flatMap(({ data }) => (data.type === 'note' ? [data.message] : []));
  }

  it('go to the next model during a long limit, and back when it is over', async () => {
    let limitedAt = 0;
    const move = ({ model }: Asked): ProviderMove => {
      if (model === 'claude-sonnet-5-5' && limitedAt === 0) {
        limitedAt = Date.now();
        return { status: 429, retryAfter: 4 };
      }
      return Date.now() < limitedAt + 6_000 ? list : { text: 'done' };
    };
    await withTwo(
      move,
      async (agents, journal) => {
        const turn = await agents.start({ models: [seeing, blind], maxModelCalls: 1_000 });
        assert.equal(((await turn.result()) as AgentTurnResult).status, 'done');
        const models = asked(journal);
        const firstBack = models.indexOf('claude-sonnet-5-5', 1);
        assert.ok(firstBack > 1, models.join(' '));
        assert.ok(models.slice(1, firstBack).every((model) => model === 'deepseek-chat'));
        assert.ok(models.slice(firstBack).every((model) => model === 'claude-sonnet-5-5'));
        assert.ok(journal[firstBack]!.at >= limitedAt + 4_000, 'not before its limit is over');
        assert.match(
          (await notes(agents)).join('\n'),
          /429.*going on with openrouter.*\n.*(?:will do again|is over); going on with anthropic/,
        );
      },
      { HELIX_LLM_FALLBACK_AFTER_MS: '2000' },
    );
  });

  it('wait for a limit where there is no other model, or it is short', async () => {
    for (const models of [[seeing], [seeing, blind]]) {
      const move = (_asked: Asked, journal: readonly JournalEntry[]): ProviderMove =>
        journal.length === 1 ? { status: 429, retryAfter: 1 } : { text: 'done' };
      await withTwo(
        move,
        async ({ start }, journal) => {
          assert.equal(((await (await start({ models })).result()) as AgentTurnResult).status, 'done');
          assert.deepEqual(asked(journal), ['claude-sonnet-5-5', 'claude-sonnet-5-5']);
          assert.ok(journal[1]!.at - journal[0]!.at >= 1_000);
        },
        { HELIX_LLM_FALLBACK_AFTER_MS: models.length === 1 ? '500' : '60000' },
      );
    }
  });

  it('go to a model that sees for as long as an image is in the conversation', async () => {
    const move = ({ answers }: Asked): ProviderMove => {
      if (answers === 0) return { calls: [{ tool: 'read', args: { path: 'pixel.png' } }] };
      return answers === 1 ? list : { text: 'done' };
    };
    await withScriptedProvider(move, async ({ url, journal }) => {
      const env = {
        ANTHROPIC_API_KEY: 'key',
        ANTHROPIC_BASE_URL: url,
        OPENROUTER_API_KEY: 'key',
        HELIX_LLM_OPENROUTER_BASE_URL: url,
      };
      await withAgents({ env, binaries: { 'pixel.png': Buffer.from(pixel, 'base64') } }, async (agents) => {
        const seen = (await (await agents.start({ models: [blind, seeing] })).result()) as AgentTurnResult;
        assert.equal(seen.status, 'done');
        assert.deepEqual(asked(journal), ['deepseek-chat', 'claude-sonnet-5-5', 'claude-sonnet-5-5']);
        assert.deepEqual(
          journal.map(({ hasImages }) => hasImages),
          [false, true, true],
        );
        assert.match((await notes(agents)).join('\n'), /cannot see images; going on with anthropic/);
        // Without the image the first model is right again.
        const after = await agents.start({ models: [blind, seeing], prompt: 'Nothing to look at' });
        await after.result();
        assert.equal(asked(journal)[3], 'deepseek-chat');
      });
    });
  });

  it('go to a configured model that sees when the user has named none', async () => {
    const move = ({ answers }: Asked): ProviderMove =>
      answers === 0 ? { calls: [{ tool: 'read', args: { path: 'pixel.png' } }] } : { text: 'done' };
    await withScriptedProvider(move, async ({ url, journal }) => {
      const env = { OPENROUTER_API_KEY: 'key', HELIX_LLM_OPENROUTER_BASE_URL: url };
      const binaries = { 'pixel.png': Buffer.from(pixel, 'base64') };
      await withAgents(
        { env: { ...env, ANTHROPIC_API_KEY: 'key', ANTHROPIC_BASE_URL: url }, binaries },
        async ({ start }) => {
          await (await start({ models: [blind] })).result();
          assert.match(asked(journal)[1]!, /^claude-/);
          assert.equal(journal[1]!.hasImages, true);
        },
      );
      await withAgents({ env, binaries }, async ({ start }) => {
        const before = journal.length;
        await assert.rejects((await start({ models: [blind] })).result(), (error: Error) => {
          const cause = error.cause as Error;
          assert.match(
            (cause.cause as Error).message,
            /deepseek-chat cannot see images, and no configured model can\. Name one .*anthropic\//,
          );
          return true;
        });
        assert.equal(journal.length, before + 1, 'the image was sent to nobody');
      });
    });
  });

  it('go to a model with more room before a conversation is compressed', async () => {
    const reads = Array.from({ length: 30 }, () => ({ tool: 'read', args: { path: 'long.txt' } }));
    const move = ({ answers }: Asked): ProviderMove => (answers === 0 ? { calls: reads } : { text: 'done' });
    await withTwo(move, async (agents, journal) => {
      await (await agents.start({ models: [blind, seeing] })).result();
      assert.deepEqual(asked(journal), ['deepseek-chat', 'claude-sonnet-5-5']);
      assert.ok(journal[1]!.promptBytes > 600_000, `${journal[1]!.promptBytes} bytes: it was not compressed`);
      assert.match((await notes(agents)).join('\n'), /is too long for openrouter.*going on with anthropic/);
    });
  });

  it('are made shorter when the only model finds them too long, whatever is known of it', async () => {
    const reads = Array.from({ length: 10 }, () => ({ tool: 'read', args: { path: 'long.txt' } }));
    const least = 100_000;
    const move = ({ answers, promptBytes }: Asked): ProviderMove => {
      if (promptBytes > least) return { status: 400, message: 'prompt is too long: 250000 tokens > 200000 maximum' };
      return answers === 0 ? { calls: reads } : { text: 'done' };
    };
    await withTwo(move, async (agents, journal) => {
      const result = (await (await agents.start({ models: [seeing] })).result()) as AgentTurnResult;
      assert.equal(result.status, 'done');
      const sizes = journal.map(({ promptBytes }) => promptBytes);
      const refused = sizes.filter((bytes) => bytes > least).length;
      assert.ok(refused >= 1 && refused <= 3, sizes.join(' '));
      assert.equal(journal.filter(({ answered }) => answered).length, 2);
      assert.equal(result.spending.calls, 2, 'what was refused costs nothing');
    });
  });

  it('spare a provider that fails: the next model is asked at once, the first one again when it is well', async () => {
    let isDown = true;
    const move = ({ model, prompt }: Asked): ProviderMove => {
      if (model === 'claude-sonnet-5-5' && isDown) return { status: 500 };
      return { text: prompt.includes('nothing') ? '' : 'done' };
    };
    await withTwo(move, async (agents, journal) => {
      await (await agents.start({ models: [seeing, blind] })).result();
      assert.deepEqual(asked(journal), [...Array<string>(3).fill('claude-sonnet-5-5'), 'deepseek-chat']);
      const { foundation, database } = agents;
      const tokens = new FileTokenStore(foundation.path('tokens'));
      const pool = new ProviderPool(foundation.config.llm, tokens, foundation.config.home);
      const models = await new ModelService(pool, foundation.config.llm, () => openCircuits(database)).list();
      const { circuit } = models.providers.find(({ name }) => name === 'anthropic')!;
      assert.equal(circuit?.failures, 3);
      assert.match(circuit.reason, /HTTP 500/);
      // Another agent does not find out for itself.
      await (await agents.start({ models: [seeing, blind] })).result();
      assert.equal(asked(journal).at(-1), 'deepseek-chat');
      assert.equal(journal.length, 5);
      isDown = false;
      await sleep(Math.max(0, Date.parse(circuit.until) - Date.now()));
      await (await agents.start({ models: [seeing, blind] })).result();
      assert.equal(asked(journal).at(-1), 'claude-sonnet-5-5');
      assert.deepEqual(await openCircuits(database), []);
    });
  });

  it('keep to the tokens of a minute, all together', async () => {
    const perMinute = 120_000;
    const move = (_asked: Asked, journal: readonly JournalEntry[]): ProviderMove => {
      const usage = { input: journal.length === 1 ? perMinute : 3_000, output: 0 };
      return { text: 'done', usage };
    };
    await withTwo(
      move,
      async ({ start }, journal) => {
        await (await start()).result();
        const turns = await Promise.all(Array.from({ length: 3 }, () => start()));
        const results = (await Promise.all(turns.map((turn) => turn.result()))) as AgentTurnResult[];
        assert.ok(results.every(({ status }) => status === 'done'));
        assert.equal(journal.length, 4);
        const [first, ...others] = journal.map(({ at }) => at);
        // A prompt is estimated at no less than 1,500 tokens, and 2,000 come in a second.
        for (const [index, at] of others.entries())
          assert.ok(at - first! >= 750 * (index + 1), `call ${index + 2} came after ${at - first!} ms`);
      },
      { HELIX_LLM_ANTHROPIC_TOKENS_PER_MINUTE: String(perMinute) },
    );
  });

  it('go to a model that was chosen by price, for "auto"', async () => {
    await withTwo(
      () => ({ text: 'done' }),
      async ({ foundation }) => {
        const { config } = foundation;
        const pool = new ProviderPool(config.llm, new FileTokenStore(foundation.path('tokens')), config.home);
        const chosen = async (prefer: 'cheapest' | 'best', away: string[] = []): Promise<string[]> =>
          await new ModelService(pool, { ...config.llm, prefer }, () =>
            Promise.resolve(away.map((provider) => ({ provider, faults: 3, waitMs: 1_000, reason: '' }))),
          ).choose('auto');
        assert.match((await chosen('cheapest'))[0]!, /^(?:anthropic\/claude-haiku|xai\/grok)/);
        assert.match((await chosen('best'))[0]!, /^(?:anthropic\/claude-sonnet-5-5|xai\/grok-4)$/);
        assert.match((await chosen('cheapest', ['anthropic']))[0]!, /^xai\//);
      },
      { XAI_API_KEY: 'key', HELIX_LLM_XAI_BASE_URL: 'http://127.0.0.1:9' },
    );
  });
});

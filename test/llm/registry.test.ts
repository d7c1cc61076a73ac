import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openProvider, providerNames } from '../../llm/providers/registry.ts';
import { canaryKey, failure } from './support/requests.ts';

describe('the registry of providers', () => {
  it('opens each provider under its own name, without asking anything of it', async () => {
    for (const name of ['anthropic', 'gemini']) {
      assert.ok(providerNames.includes(name));
      const provider = await openProvider(name, { apiKey: canaryKey, baseUrl: 'http://127.0.0.1:1' });
      assert.equal(provider.name, name);
      await provider.close();
    }
  });

  it('offers the nearest name for one that it does not know', async () => {
    const error = await failure('usage.invalid', openProvider('antropic', { apiKey: canaryKey }));
    assert.match(error.message, /antropic\. Did you mean anthropic\?/);
    await failure('usage.invalid', openProvider('toString', {}));
  });

  it('loads the SDK of a provider only when it is opened', async () => {
    const script = `
      import { registerHooks } from 'node:module';
      const loaded = [];
      registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context); } });
      const { openProvider } = await import('./llm/providers/registry.ts');
      const sdks = () => ['@anthropic-ai/sdk', '@google/genai', 'openai/', 'ollama/'].filter((sdk) => loaded.some((url) => url.includes('node_modules/' + sdk)));
      const before = sdks();
      await openProvider('anthropic', { apiKey: 'x' });
      console.log(JSON.stringify([before, sdks()]));
    `;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
      cwd: join(import.meta.dirname, '../..'),
    });
    assert.deepEqual(JSON.parse(stdout), [[], ['@anthropic-ai/sdk']]);
  });
});

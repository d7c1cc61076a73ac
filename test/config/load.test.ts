import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfig } from '../../config/load.ts';
import { settings } from '../../config/settings.ts';
import { temporalConnection } from '../../config/temporal-profile.ts';
import { HelixError } from '../../contracts/error.ts';
import { withTempDir } from '../support/temp-dir.ts';

function refusal(env: NodeJS.ProcessEnv): string {
  try {
    loadConfig(env);
  } catch (error) {
    assert.ok(error instanceof HelixError);
    assert.equal(error.code, 'usage.invalid');
    return error.message;
  }
  assert.fail('it was accepted');
}

/** A home of its own, so that no configuration of this machine is read. */
async function withHome(use: (env: NodeJS.ProcessEnv, home: string) => Promise<void>): Promise<void> {
  await withTempDir((home) => use({ HOME: home, HELIX_HOME: home }, home));
}

describe('the configuration', () => {
  it('is complete without any file or variable', async () => {
    await withTempDir(async (home) => {
      const config = loadConfig({ HOME: home });
      assert.equal(config.home, join(home, '.helixcode'));
      assert.deepEqual(config.api, { host: '127.0.0.1', port: 8640 });
      assert.deepEqual(config.database, {});
      assert.deepEqual(config.temporal, { namespace: 'default' });
      assert.equal(config.step.nodeWaitMs, 600_000);
      assert.equal(loadConfig({ HOME: home, XDG_STATE_HOME: '/state' }).home, '/state/helixcode');
    });
  });

  it('takes variables over the file, and the file over the defaults', async () => {
    await withHome(async (env, home) => {
      const file = {
        api: { port: 1111, host: 'localhost' },
        node: { slots: 3 },
        database: { url: 'postgres://file/x' },
      };
      await writeFile(join(home, 'config.json'), JSON.stringify(file));
      const config = loadConfig({ ...env, HELIX_API_PORT: '2222', DATABASE_URL: 'postgres://env/x' });
      assert.deepEqual(config.api, { port: 2222, host: 'localhost' });
      assert.equal(config.node.slots, 3);
      assert.equal(config.database.url, 'postgres://env/x');
      const other = join(home, 'other.json');
      await writeFile(other, '{"api": {"port": 3333}}');
      assert.equal(loadConfig({ ...env, HELIX_CONFIG: other }).api.port, 3333);
      assert.equal(loadConfig({ ...env, HELIX_API_PORT: '', HELIX_CONFIG: other }).api.port, 3333);
    });
  });

  it('can have each setting from a variable of its own', () => {
    const variables = settings.map(({ variable }) => variable);
    assert.equal(new Set(variables).size, variables.length);
    assert.ok(variables.includes('HELIX_TEMPORAL_UI_URL'));
    const config = loadConfig({ HELIX_HOME: '/h', HELIX_STEP_TIMEOUT_MS: '5', HELIX_LOG_LEVEL: 'debug' });
    assert.equal(config.step.timeoutMs, 5);
    assert.equal(config.log.level, 'debug');
  });

  it('refuses a bad value with the setting, the value, its source and what is allowed', async () => {
    await withHome(async (env, home) => {
      assert.equal(
        refusal({ ...env, HELIX_API_PORT: 'http' }),
        'api.port is "http" (from HELIX_API_PORT); allowed is a port: a whole number from 1 to 65535',
      );
      assert.match(
        refusal({ ...env, TEMPORAL_ADDRESS: 'nowhere' }),
        /temporal\.address is "nowhere" .*TEMPORAL_ADDRESS.*host:port/,
      );
      assert.match(refusal({ ...env, HELIX_NODE_SLOTS: '0' }), /node\.slots is 0 .*HELIX_NODE_SLOTS.*1 to 1024/);
      const path = join(home, 'config.json');
      await writeFile(path, '{"log": {"level": "loud"}, "step": {"timeoutMs": true}}');
      const both = refusal(env);
      assert.ok(both.includes(`log.level is "loud" (from ${path}); allowed is one of trace`), both);
      assert.ok(both.includes(`step.timeoutMs is true (from ${path})`), both);
      await writeFile(path, '{"api": 5}');
      assert.ok(refusal(env).includes(`api is 5 (from ${path}); allowed is an object`));
    });
  });

  it('does not show passwords in what it refuses', async () => {
    await withHome(async (env) => {
      const message = refusal({ ...env, DATABASE_URL: 'mysql://me:hunter2@host/db' });
      assert.match(message, /database\.url is "mysql:\/\/me:\[redacted\]@host\/db" \(from DATABASE_URL\)/);
    });
  });

  it('names keys and variables it does not know, with the one that was meant', async () => {
    await withHome(async (env, home) => {
      assert.match(refusal({ ...env, HELIX_API_PROT: '1' }), /HELIX_API_PROT .* did you mean HELIX_API_PORT\?/);
      await writeFile(join(home, 'config.json'), '{"api": {"prt": 1}}');
      assert.match(refusal(env), /api\.prt \(from .*config\.json\) .* did you mean api\.port\?/);
      await writeFile(join(home, 'config.json'), '{"colour": "red"}');
      assert.match(refusal(env), /colour .* known are .*api\.port/);
      await writeFile(join(home, 'config.json'), '{"api": ');
      assert.match(refusal(env), /config\.json is no JSON/);
      assert.match(
        refusal({ ...env, HELIX_CONFIG: join(home, 'none.json') }),
        /none\.json \(from HELIX_CONFIG\) cannot be read/,
      );
    });
  });

  it('follows a Temporal profile, with its TLS and API key, below TEMPORAL_ADDRESS', async () => {
    await withHome(async (env, home) => {
      const toml = join(home, 'temporal.toml');
      await writeFile(toml, '[profile.cloud]\naddress = "cloud.example:7233"\nnamespace = "work"\napi_key = "key"\n');
      const named = { ...env, TEMPORAL_CONFIG_FILE: toml, TEMPORAL_PROFILE: 'cloud' };
      const config = loadConfig(named);
      assert.equal(config.temporal.address, 'cloud.example:7233');
      assert.equal(config.temporal.namespace, 'work');
      const connection = temporalConnection(config, named);
      assert.equal(connection.address, 'cloud.example:7233');
      assert.equal(connection.apiKey, 'key');
      assert.equal(connection.tls, true);
      assert.equal(loadConfig({ ...named, TEMPORAL_ADDRESS: 'other:1' }).temporal.address, 'other:1');
      assert.match(refusal({ ...named, TEMPORAL_PROFILE: 'none' }), /Profile 'none' not found/);
      assert.equal(loadConfig({ ...env, TEMPORAL_CONFIG_FILE: toml }).temporal.address, undefined);
      const none = { ...env, TEMPORAL_CONFIG_FILE: '/dev/null', TEMPORAL_ADDRESS: 'plain:1' };
      assert.deepEqual(temporalConnection(loadConfig(none), none), { address: 'plain:1' });
    });
  });

  it("takes the model vendors' own variables, and Ollama's address in any of its forms", () => {
    const { llm } = loadConfig({ HELIX_HOME: '/h', OPENAI_API_KEY: 'k', OPENAI_BASE_URL: 'http://localhost:1/v1' });
    assert.equal(llm.openai.apiKey, 'k');
    assert.equal(llm.openai.baseUrl, 'http://localhost:1/v1');
    const address = (host: string): string | undefined =>
      loadConfig({ HELIX_HOME: '/h', OLLAMA_HOST: host }).llm.ollama.baseUrl;
    assert.equal(address('0.0.0.0'), 'http://127.0.0.1:11434/');
    assert.equal(address(':1234'), 'http://127.0.0.1:1234/');
    assert.equal(address('https://box.example'), 'https://box.example/');
    assert.equal(address('not a host'), undefined);
  });

  it('takes an object as JSON from a variable, and says what is wrong with one that is none', async () => {
    await withHome(async (env) => {
      const variable = 'HELIX_LLM_OPENROUTER_OPTIONS';
      const { llm } = loadConfig({ ...env, [variable]: '{"provider":{"order":["anthropic"]}}' });
      assert.deepEqual(llm.openrouter.options, { provider: { order: ['anthropic'] } });
      assert.match(
        refusal({ ...env, [variable]: 'fast' }),
        /llm\.openrouter\.options is "fast" .* allowed is a JSON object/,
      );
    });
  });

  it("calls Gemini through Vertex AI where Google's own programs would", async () => {
    await withHome(async (env) => {
      const vertex = { GOOGLE_CLOUD_PROJECT: 'p', GOOGLE_CLOUD_LOCATION: 'europe-west4' };
      assert.equal(loadConfig({ ...env, ...vertex }).llm.gemini.project, undefined);
      const { project, location } = loadConfig({ ...env, ...vertex, GOOGLE_GENAI_USE_VERTEXAI: 'true' }).llm.gemini;
      assert.deepEqual([project, location], ['p', 'europe-west4']);
    });
  });

  it('is documented setting by setting', async () => {
    const page = await readFile(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
    for (const { name, variable } of settings) {
      const provider = /^llm\.(\w+)\./.exec(name)?.[1];
      const shown = (text: string): string =>
        provider
          ? text.replace(`llm.${provider}.`, 'llm.PROVIDER.').replace(`LLM_${provider.toUpperCase()}_`, 'LLM_PROVIDER_')
          : text;
      const isShown = (text: string): boolean => [text, shown(text)].some((one) => page.includes(`\`${one}\``));
      assert.ok(isShown(name), name);
      assert.ok(isShown(variable), variable);
      if (provider) assert.ok(page.includes(`\`${provider}\``), provider);
    }
  });
});

import assert from 'node:assert/strict';
import { detectLoginEnvironment, stepEnvironment } from '../../fleet/agent/environment.ts';

describe("a step's environment", () => {
  it('is an allow-list: how to reach the outside passes, secrets and the rest of the user do not', async () => {
    const given = {
      HTTPS_PROXY: 'http://proxy:3128',
      NODE_EXTRA_CA_CERTS: '/certs.pem',
      GOPROXY: 'direct',
      API_TOKEN: 'secret',
      NODE_OPTIONS: '-r x',
    };
    const before = { ...process.env };
    Object.assign(process.env, given);
    try {
      const login = await detectLoginEnvironment();
      const environment = stepEnvironment(login, '/workspace', '/scratch', [], { MODE: 'own' });
      assert.equal(environment.HTTPS_PROXY, given.HTTPS_PROXY);
      assert.equal(environment.NODE_EXTRA_CA_CERTS, given.NODE_EXTRA_CA_CERTS);
      assert.equal(environment.GOPROXY, given.GOPROXY);
      assert.equal(environment.API_TOKEN, undefined);
      assert.equal(environment.NODE_OPTIONS, undefined);
      assert.equal(environment.MODE, 'own');
      assert.equal(environment.TMPDIR, '/scratch');
      assert.equal(environment.CI, 'true');
    } finally {
      for (const name of Object.keys(given)) delete process.env[name];
      Object.assign(process.env, before);
    }
  });

  it('has the PATH of the login shell first, then what else the agent was started with', async () => {
    const path = process.env.PATH!;
    const own = (await detectLoginEnvironment()).path.split(':');
    process.env.PATH = `/only/here:${path}:relative`;
    try {
      const entries = (await detectLoginEnvironment()).path.split(':');
      assert.ok(entries.includes('/only/here'));
      assert.ok(!entries.includes('relative'));
      assert.ok(own.every((entry) => entries.includes(entry)));
      assert.equal(new Set(entries).size, entries.length);
    } finally {
      process.env.PATH = path;
    }
  });

  it('puts the programs of layers first, below the workspace, and lets the step have the last word', async () => {
    const login = {
      path: '/usr/bin',
      shell: '/bin/sh',
      user: 'u',
      home: '/home/u',
      passed: { LANG: 'C' },
      answered: true,
    };
    const layer = {
      name: 'deps',
      key: 'a'.repeat(64),
      install: { shell: 'true', cwd: '.' },
      paths: ['.venv'],
      env: { PATH: '.venv/bin', LANG: 'C.UTF-8' },
    };
    const environment = stepEnvironment(login, '/workspace', '/scratch', [layer], { LANG: 'de' });
    assert.equal(environment.PATH, '/workspace/.venv/bin:/usr/bin');
    assert.equal(environment.LANG, 'de');
  });
});

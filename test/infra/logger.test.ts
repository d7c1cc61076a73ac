import assert from 'node:assert/strict';
import { createLogger } from '../../observability/logger.ts';
import { redactText, redactValue } from '../../observability/redact.ts';

function logged(use: (log: ReturnType<typeof createLogger>) => void): Record<string, unknown>[] {
  const lines: string[] = [];
  use(createLogger('test', { destination: { write: (line) => void lines.push(line) } }));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('the logger', () => {
  it('writes a JSON line with level, time and name', () => {
    const [line] = logged((log) => log.info({ jobId: 'job-1' }, 'started'));
    assert.equal(line?.['level'], 'info');
    assert.equal(line?.['name'], 'test');
    assert.equal(line?.['jobId'], 'job-1');
    assert.equal(line?.['msg'], 'started');
    assert.ok(!Number.isNaN(Date.parse(line?.['time'] as string)));
  });

  it('lets no secret through in messages, fields, children or errors', () => {
    const lines = logged((log) => {
      log.info('connecting to postgres://helix:hunter2@db/x');
      log.info({ nested: [{ apiKey: 'hunter2' }], password: 'hunter2 with spaces' }, 'token=%s', 'x');
      log.child({ clientSecret: 'hunter2' }).child({ cookie: 'hunter2' }).warn('child');
      log.error({ err: new Error('bad password: hunter2', { cause: new Error('Bearer hunter2hunter2') }) }, 'failed');
      log.error(new Error('password=hunter2'));
    });
    assert.equal(lines.length, 5);
    assert.doesNotMatch(JSON.stringify(lines), /hunter2|with spaces/);
    assert.match(JSON.stringify(lines[3]), /"stack":/);
  });
});

describe('the redactor', () => {
  it('hides what looks like a key or token, wherever it stands', () => {
    const secrets = [
      `sk-${'a1'.repeat(16)}`,
      `ghp_${'a'.repeat(36)}`,
      'AKIAIOSFODNN7EXAMPLE',
      `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.${'s'.repeat(20)}`,
      '-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----',
    ];
    for (const secret of secrets) assert.equal(redactText(`before ${secret} after`), 'before [redacted] after');
    assert.equal(
      redactText('redis://:pass@host and https://user@host'),
      'redis://:[redacted]@host and https://user@host',
    );
  });

  it('leaves counts, ordinary words and the given value alone', () => {
    const value = { inputTokens: 5, tokenCount: 7, passed: 3, key: 'api.port', when: new Date(0) };
    assert.deepEqual(redactValue(value), value);
    const secret = { password: 'x' };
    redactValue(secret);
    assert.equal(secret.password, 'x');
  });

  it('survives values that contain themselves', () => {
    const loop: Record<string, unknown> = {};
    loop['self'] = loop;
    assert.deepEqual(redactValue(loop), { self: '[circular]' });
  });
});

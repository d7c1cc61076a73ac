import assert from 'node:assert/strict';
import { CircuitBreaker, createCircuitBreakers, isProviderFault } from '../../llm/routing/circuit-breaker.ts';
import { RateLimiter } from '../../llm/routing/rate-limit.ts';

class Clock {
  ms = 1_000_000;
  readonly now = (): number => this.ms;
}

function breaker(): { clock: Clock; circuit: CircuitBreaker } {
  const clock = new Clock();
  const options = { now: clock.now, failures: 3, pauseMs: 1_000, longestPauseMs: 4_000, trialMs: 60_000 };
  return { clock, circuit: new CircuitBreaker(options) };
}

describe('a circuit breaker', () => {
  it('opens after failures in a row, not after as many with a success between them', () => {
    const { circuit } = breaker();
    for (const report of ['failed', 'failed', 'succeeded', 'failed', 'failed'] as const) circuit[report]();
    assert.equal(circuit.state, 'closed');
    circuit.failed();
    assert.equal(circuit.state, 'open');
    assert.deepEqual(circuit.admit(), { admitted: false, waitMs: 1_000 });
  });

  it('lets a single trial through after the pause, and closes when it succeeds', () => {
    const { clock, circuit } = breaker();
    for (let failure = 0; failure < 3; failure++) circuit.failed();
    clock.ms += 1_000;
    assert.equal(circuit.state, 'half-open');
    assert.equal(circuit.waitMs, 0);
    assert.deepEqual(circuit.admit(), { admitted: true });
    assert.deepEqual(circuit.admit(), { admitted: false, waitMs: 60_000 });
    circuit.succeeded();
    assert.equal(circuit.state, 'closed');
    assert.deepEqual(circuit.admit(), { admitted: true });
  });

  it('pauses twice as long after each failed trial, up to the longest pause', () => {
    const { clock, circuit } = breaker();
    for (let failure = 0; failure < 3; failure++) circuit.failed();
    const pauses: number[] = [];
    for (let trial = 0; trial < 4; trial++) {
      pauses.push(circuit.waitMs);
      clock.ms += circuit.waitMs;
      circuit.admit();
      circuit.failed();
    }
    assert.deepEqual(pauses, [1_000, 2_000, 4_000, 4_000]);
    clock.ms += 4_000;
    circuit.admit();
    circuit.succeeded();
    for (let failure = 0; failure < 3; failure++) circuit.failed();
    assert.equal(circuit.waitMs, 1_000, 'a recovery forgets the long pauses');
  });

  it('waits as long as the provider asks for', () => {
    const { circuit } = breaker();
    circuit.failed();
    circuit.failed();
    circuit.failed(3 * 86_400_000);
    assert.equal(circuit.waitMs, 3 * 86_400_000);
  });

  it('is not held up by a trial that was abandoned or never heard of again', () => {
    const { clock, circuit } = breaker();
    for (let failure = 0; failure < 3; failure++) circuit.failed();
    clock.ms += 1_000;
    circuit.admit();
    circuit.abandoned();
    assert.deepEqual(circuit.admit(), { admitted: true });
    clock.ms += 60_000;
    assert.deepEqual(circuit.admit(), { admitted: true });
  });

  it('does not pause longer for calls that were under way when it opened', () => {
    const { circuit } = breaker();
    for (let failure = 0; failure < 10; failure++) circuit.failed();
    assert.equal(circuit.waitMs, 1_000);
  });

  it('is one per provider, and is not opened by what is no fault of the provider', () => {
    const of = createCircuitBreakers({ now: () => 0 });
    assert.equal(of('a'), of('a'));
    assert.notEqual(of('a'), of('b'));
    assert.equal(isProviderFault('llm.unavailable'), true);
    assert.equal(isProviderFault('llm.rate-limited'), false);
    assert.equal(isProviderFault('llm.authentication'), false);
  });
});

describe('a rate limit', () => {
  it('lets a minute through at once and then says how long to wait', () => {
    const clock = new Clock();
    const limiter = new RateLimiter({ requestsPerMinute: 2 }, clock.now);
    assert.equal(limiter.request('a', 0), 0);
    assert.equal(limiter.request('b', 0), 0);
    assert.equal(limiter.request('c', 0), 30_000);
    assert.equal(limiter.request('d', 0), 60_000);
    clock.ms += 30_000;
    assert.equal(limiter.request('d', 0), 30_000, 'nobody overtakes');
    assert.equal(limiter.request('c', 0), 0);
  });

  it('never lets more through in any minute than one bucket and what flows in', () => {
    const clock = new Clock();
    const limiter = new RateLimiter({ requestsPerMinute: 10, tokensPerMinute: 1_000 }, clock.now);
    const waiting = new Map(Array.from({ length: 60 }, (_, caller) => [`agent-${caller}`, clock.ms]));
    const sent: { at: number; tokens: number }[] = [];
    let asked = 0;
    while (waiting.size > 0) {
      clock.ms = Math.min(...waiting.values());
      for (const [caller, at] of waiting) {
        if (at > clock.ms) continue;
        asked += 1;
        const waitMs = limiter.request(caller, 150);
        if (waitMs > 0) {
          waiting.set(caller, clock.ms + waitMs);
          continue;
        }
        waiting.delete(caller);
        sent.push({ at: clock.ms, tokens: 150 });
      }
    }
    for (const { at } of sent) {
      const minute = sent.filter((other) => other.at >= at && other.at < at + 60_000);
      const tokens = minute.reduce((sum, one) => sum + one.tokens, 0);
      assert.ok(minute.length <= 20 && tokens <= 2_000, `${minute.length} calls, ${tokens} tokens`);
    }
    assert.equal(sent.length, 60);
    assert.ok(asked <= 120, `each asks at most twice: ${asked}`);
  });

  it('lets a call through that is larger than a whole minute', () => {
    const clock = new Clock();
    const limiter = new RateLimiter({ tokensPerMinute: 100 }, clock.now);
    assert.equal(limiter.request('huge', 5_000), 0);
    assert.equal(limiter.request('next', 50), 30_000);
  });

  it('gives back what an estimate took too much, and takes what it took too little', () => {
    const clock = new Clock();
    const limiter = new RateLimiter({ tokensPerMinute: 100 }, clock.now);
    limiter.request('a', 100);
    limiter.settle(100, 40);
    assert.equal(limiter.request('b', 60), 0);
    limiter.settle(60, 110);
    assert.equal(limiter.request('c', 10), 36_000);
  });

  it('gives the place of those who leave to the others', () => {
    const clock = new Clock();
    const limiter = new RateLimiter({ requestsPerMinute: 1 }, clock.now);
    limiter.request('a', 0);
    assert.equal(limiter.request('b', 0), 60_000);
    limiter.leave('b');
    assert.equal(limiter.request('c', 0), 60_000);
  });

  it('pauses for everybody when the provider says so', () => {
    const clock = new Clock();
    const limiter = new RateLimiter({}, clock.now);
    limiter.pause(5_000);
    assert.equal(limiter.request('a', 0), 5_000);
    clock.ms += 5_000;
    assert.equal(limiter.request('a', 0), 0);
  });
});

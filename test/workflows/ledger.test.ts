import assert from 'node:assert/strict';
import type { Budget, Spending } from '../../contracts/agent.ts';
import { addSpending, Ledger, nothingSpent } from '../../workflows/ledger.ts';

function spending(usd: number, tokens = 0): Spending {
  return { calls: 1, inputTokens: tokens, outputTokens: 0, cacheReadTokens: 0, usd };
}

describe('the ledger of an agent', () => {
  it('has what is neither spent nor reserved', () => {
    const ledger = new Ledger({ usd: 1, tokens: 1000 });
    const part = ledger.reserve(4);
    assert.deepEqual(part, { usd: 0.25, tokens: 250 });
    assert.deepEqual(ledger.left(), { usd: 0.75, tokens: 750 });
    ledger.settle(part, spending(0.05, 100));
    assert.deepEqual(ledger.left(), { usd: 0.95, tokens: 900 });
    assert.equal(ledger.exhausted(), undefined);
  });

  it('knows no limit that was not set', () => {
    const ledger = new Ledger({});
    ledger.settle(ledger.reserve(), spending(1000, 1e9));
    assert.deepEqual(ledger.left(), {});
    assert.equal(ledger.exhausted(), undefined);
  });

  it('names the limit that is reached, and goes on when it is raised', () => {
    const ledger = new Ledger({ usd: 1 });
    ledger.settle(ledger.reserve(), spending(1));
    assert.equal(ledger.exhausted(), 'the budget of $1 is spent');
    ledger.raise({ usd: 0.5, tokens: 10 });
    assert.equal(ledger.exhausted(), undefined);
    assert.deepEqual(ledger.left(), { usd: 0.5 });
    assert.deepEqual(ledger.raisedBy, { usd: 0.5, tokens: 10 });
  });

  it('counts only the time in which work was done', () => {
    const ledger = new Ledger({ minutes: 1 });
    ledger.worked(59_000);
    assert.equal(ledger.exhausted(), undefined);
    ledger.worked(1_000);
    assert.equal(ledger.exhausted(), 'the budget of 1 minutes is used up');
  });

  it('never lets racing children spend more than there is, whatever they do with their parts', () => {
    let seed = 7;
    const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
    for (let round = 0; round < 200; round += 1) {
      const cap = random() * 10;
      const ledger = new Ledger({ usd: cap, tokens: Math.floor(random() * 1e6) });
      const running: Budget[] = [];
      let spent = nothingSpent;
      for (let move = 0; move < 200; move += 1) {
        if (running.length < 50 && random() < 0.5) {
          running.push(ledger.reserve(1 + Math.floor(random() * 50)));
          continue;
        }
        const part = running.splice(Math.floor(random() * running.length), 1)[0];
        if (!part) continue;
        // A child never spends more than its part: that is what its own ledger sees to.
        const own = spending(part.usd! * random(), Math.floor(part.tokens! * random()));
        spent = addSpending(spent, own);
        ledger.settle(part, own);
        assert.ok(spent.usd <= cap + 1e-9);
      }
      assert.ok(Math.abs(ledger.spent.usd - spent.usd) < 1e-9);
    }
  });
});

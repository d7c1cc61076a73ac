import assert from 'node:assert/strict';
import { analyse } from '../../../modes/planning/analyse.ts';
import { approachMarkdown, planMarkdown } from '../../../modes/planning/plan-markdown.ts';
import { textReader } from './folder-reader.ts';

async function page(files: Record<string, string>, goal = ''): Promise<string> {
  return planMarkdown(await analyse(textReader(files), { env: {} }), { goal, project: 'shop' });
}

function workspace(count: number): Record<string, string> {
  const packages = Array.from({ length: count }, (_, index) => [
    `p/${index}/package.json`,
    JSON.stringify({ name: `p${index}`, scripts: { test: 'mocha' }, dependencies: index > 0 ? { p0: '1' } : {} }),
  ]);
  return {
    'package.json': '{"name":"all","workspaces":["p/*"]}',
    ...(Object.fromEntries(packages) as Record<string, string>),
  };
}

describe('the plan as a page', () => {
  it('says what the project is, what will be run, where, and after what', async () => {
    const text = await page({ ...workspace(2), 'p/1/a.ts': 'let a = 1;\n' }, 'rename\nthe shop');
    assert.match(
      text,
      /^# Plan for shop\n\n> rename\n> the shop\n\n4 files, \d+ B, 2 packages \(node\)\. 3 steps to run: 1 install, 2 test\.\n/,
    );
    assert.match(text, /\| TypeScript \| 1 \| 1 \| 11 B \|/);
    assert.match(text, /p0\["p0"\]\n {2}p1\["p1"\]\n {2}p0 --> p1\n```/);
    assert.match(text, /\| `test:p1` \| `npm test` \| `p\/1` \| `node && npm` \| `install` \|/);
    assert.match(text, /\| `install` \| `npm install --no-audit --no-fund --no-package-lock` \|/);
    assert.match(text, /## Notes\n\n- package.json has no lock file/);
  });

  it('draws no graph of more packages than one can look at', async () => {
    assert.match(await page(workspace(25)), /```mermaid/);
    const many = await page(workspace(26));
    assert.doesNotMatch(many, /```mermaid/);
    assert.match(many, /The packages have 25 dependencies on each other, too many to draw/);
  });

  it('lets no name of a hostile manifest become markup', async () => {
    const name = 'a|b\n<script>`x`"](http://evil)';
    const text = await page({ 'package.json': JSON.stringify({ name, scripts: { test: 'mocha' } }) });
    const rows = text.split('\n').filter((line) => line.includes('script'));
    assert.ok(rows.length > 0);
    assert.doesNotMatch(text.replace(/`+[^\n]*`+/g, ''), /(^|[^\\])<script/m);
    for (const row of rows.filter((line) => line.startsWith('|'))) {
      const cells = row.replaceAll('\\|', '').split('|').length;
      assert.ok(cells === 8 || cells === 7, row);
    }
  });

  it('has the approach and the work items below it, and lets nothing a model wrote end a cell', () => {
    const item = { id: 'api', title: 'The | api', prompt: 'Do\n<b>it</b>', files: ['a|b.ts'], needs: ['core'] };
    const text = approachMarkdown(' Do it.\n', [item]);
    assert.match(text, /^\n## Approach\n\nDo it\.\n\n## Work items\n/);
    assert.ok(text.includes('| `api` | The \\| api | `core` | `a\\|b.ts` |'), text);
    assert.ok(text.includes('### api: The \\| api\n\n> Do\n> \\<b\\>it\\</b\\>'), text);
    assert.equal(approachMarkdown('', []), '');
  });
});

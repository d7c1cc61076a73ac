import assert from 'node:assert/strict';
import { withProject } from './project.ts';
import type { Project } from './project.ts';

const file = (lines: string[]) => lines.join('\n') + '\n';

describe('organising imports', () => {
  it('sorts declarations and names and removes what is unused', () =>
    withProject(
      {
        'a.ts': file([
          "import { z, y as yy, a } from './z.js';",
          "import type { T, U } from '../lib/t.js';",
          "import def, { unused } from 'pkg';",
          "import * as ns from '@scope/x';",
          "import gone from 'gone';",
          "import { join } from 'node:path';",
          '',
          'export const out: T = [z, yy, a, def, ns, join];',
        ]),
      },
      async (project) => {
        const { summary } = await project.apply('organise-imports');
        assert.equal(
          await project.read('a.ts'),
          file([
            "import { join } from 'node:path';",
            "import * as ns from '@scope/x';",
            "import def from 'pkg';",
            "import type { T } from '../lib/t.js';",
            "import { a, y as yy, z } from './z.js';",
            '',
            'export const out: T = [z, yy, a, def, ns, join];',
          ]),
        );
        assert.equal(summary, 'organised the imports of 1 file: 3 unused imports removed');
        assert.deepEqual((await project.apply('organise-imports')).changed, []);
      },
    ));

  it('knows uses in types, JSX, doc comments, shorthands and exports from mere namesakes', () =>
    withProject(
      {
        'a.tsx': file([
          "import React from 'react';",
          "import { doc } from './doc.js';",
          "import { exported } from './e.js';",
          "import { key, param, prop } from './names.js';",
          "import { short } from './s.js';",
          "import { type Shape } from './t.js';",
          "import { Box } from './ui.js';",
          '',
          '/** see {@link doc} */',
          'export const view = (param: Shape) => <Box a={{ short, key: param.prop }} />;',
          'export { exported };',
        ]),
      },
      async (project) => {
        await project.apply('organise-imports');
        const text = await project.read('a.tsx');
        assert.ok(!text.includes('names.js'));
        for (const kept of ['React', 'doc', 'exported', 'short', 'Shape', 'Box'])
          assert.match(text, new RegExp(`import .*${kept}`));
      },
    ));

  it('leaves side effects where they are and comments with what they speak of', () =>
    withProject(
      {
        'a.ts': file([
          '#!/usr/bin/env node',
          '/* Copyright */',
          "import { b } from './b.js'; // why b",
          "import { a } from './a.js';",
          "import './setup.js';",
          "import {} from './types.js';",
          "import { d } from './d.js';",
          '// the c of it',
          "import { c } from './c.js';",
          "import { aa } from './aa.js';",
          '',
          "import { y } from './y.js';",
          "import { x, /* the w */ w } from './x.js';",
          'export const all = [a, b, c, d, aa, x, y, w];',
        ]),
      },
      async (project) => {
        await project.apply('organise-imports');
        assert.equal(
          await project.read('a.ts'),
          file([
            '#!/usr/bin/env node',
            '/* Copyright */',
            "import { a } from './a.js';",
            "import { b } from './b.js'; // why b",
            "import './setup.js';",
            "import {} from './types.js';",
            "import { d } from './d.js';",
            '// the c of it',
            "import { c } from './c.js';",
            "import { aa } from './aa.js';",
            '',
            "import { x, /* the w */ w } from './x.js';",
            "import { y } from './y.js';",
            'export const all = [a, b, c, d, aa, x, y, w];',
          ]),
        );
      },
    ));

  it('keeps the layout of braces, line endings and attributes', () =>
    withProject(
      {
        'a.ts':
          "import {\r\n\tb,\r\n\tunused,\r\n\ta,\r\n} from './x.js';\r\nimport {d,c} from './y.js'\r\nimport data from './data.json' with { type: 'json' };\r\nexport default [a, b, c, d, data]",
      },
      async (project) => {
        await project.apply('organise-imports');
        assert.equal(
          await project.read('a.ts'),
          "import data from './data.json' with { type: 'json' };\r\nimport {\r\n\ta,\r\n\tb,\r\n} from './x.js';\r\nimport {c, d} from './y.js'\r\nexport default [a, b, c, d, data]",
        );
      },
    ));

  it('keeps a file a module when its last import goes', () =>
    withProject(
      { 'a.ts': "/* header */\nimport { x } from './x.js';\n\nconst local = 1;\n", 'x.ts': 'export const x = 1;\n' },
      async (project) => {
        await project.apply('organise-imports');
        assert.equal(await project.read('a.ts'), '/* header */\n\nconst local = 1;\nexport {};\n');
      },
    ));

  it('skips generated files, declarations, what does not parse, and what is outside the given path', async () => {
    const messy = "import { b, a } from './x.js';\nexport default [a, b];\n";
    const check = async (project: Project) => {
      assert.deepEqual((await project.apply('organise-imports:src')).changed, ['src/a.ts']);
      assert.deepEqual((await project.apply('organise-imports:other/b.ts')).changed, ['other/b.ts']);
      await project.refuses('organise-imports:nowhere', /no file or folder nowhere/);
    };
    await withProject(
      {
        'src/a.ts': messy,
        'src/g.ts': `// @generated by a tool\n${messy}`,
        'src/p.ts': `// Code generated by protoc. DO NOT EDIT.\n${messy}`,
        'src/t.d.ts': messy,
        'src/broken.ts': `${messy}export const = 1;\n`,
        'other/b.ts': messy,
      },
      check,
    );
  });
});

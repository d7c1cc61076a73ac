import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { matchesGlob } from '../../agent/glob.ts';
import { decide } from '../../agent/permissions.ts';
import { type PermissionMode, type PermissionRule, permissionRuleSchema } from '../../contracts/agent.ts';
import { cpuMs } from '../support/cpu.ts';
import { withTempDir } from '../support/temp-dir.ts';

type Decision = PermissionRule['decision'];

function command(mode: PermissionMode, rules: PermissionRule[], shell: string): Decision {
  return decide({ mode, rules }, { tool: 'run', kind: 'run', command: shell }).decision;
}

function path(mode: PermissionMode, rules: PermissionRule[], kind: 'read' | 'edit', file: string): Decision {
  return decide({ mode, rules }, { tool: kind, kind, path: file }).decision;
}

function expectEach(shells: string[], expected: Decision, mode: PermissionMode, rules: PermissionRule[]): void {
  for (const shell of shells) assert.equal(command(mode, rules, shell), expected, JSON.stringify(shell));
}

describe('permission', () => {
  it('denies a kind of access by whatever tool or command, and no other', () => {
    const rules: PermissionRule[] = [{ decision: 'deny', kind: 'edit', path: 'src/**' }];
    for (const tool of ['edit', 'write', 'apply-patch', 'delete'])
      assert.equal(decide({ mode: 'full', rules }, { tool, kind: 'edit', path: 'src/a.ts' }).decision, 'deny', tool);
    assert.equal(command('full', rules, 'echo x > src/a.ts'), 'deny');
    assert.equal(path('full', rules, 'read', 'src/a.ts'), 'allow');
    assert.equal(path('full', rules, 'edit', 'docs/a.md'), 'allow');
  });

  it('follows the mode where no rule matches', () => {
    const kinds = ['read', 'edit', 'run', 'network', 'ask'] as const;
    const table = (mode: PermissionMode): string =>
      kinds.map((kind) => decide({ mode, rules: [] }, { tool: 'x', kind, command: 'ls' }).decision).join(' ');
    assert.deepEqual((['plan', 'ask', 'accept-edits', 'auto', 'full'] as const).map(table), [
      'allow deny deny ask allow',
      'allow ask ask ask allow',
      'allow allow ask ask allow',
      'allow allow allow ask allow',
      'allow allow allow allow allow',
    ]);
  });

  it('follows the last rule that matches, but any that denies', () => {
    const rules: PermissionRule[] = [
      { decision: 'ask', tool: 'edit' },
      { decision: 'allow', path: 'src/**' },
      { decision: 'deny', path: 'src/generated/**' },
      { decision: 'allow', path: 'src/generated/**' },
    ];
    assert.equal(path('full', rules, 'edit', 'README.md'), 'ask');
    assert.equal(path('ask', rules, 'edit', 'src/a/b.ts'), 'allow');
    for (const file of [
      'src/generated/x',
      './src//generated/x',
      'src/a/../generated/x',
      'SRC/Generated/x',
      'src/generated',
    ])
      assert.equal(path('full', rules, 'edit', file), 'deny', file);
    assert.equal(
      decide({ mode: 'ask', rules: [{ decision: 'allow', tool: 'mcp__*' }] }, { tool: 'mcp__x', kind: 'run' }).decision,
      'allow',
    );
  });

  it('never lets planning change or run anything', () => {
    const rules: PermissionRule[] = [{ decision: 'allow' }];
    assert.equal(path('plan', rules, 'edit', 'a'), 'deny');
    assert.equal(command('plan', rules, 'ls'), 'deny');
    assert.equal(path('plan', rules, 'read', 'a'), 'allow');
  });

  it('keeps within the workspace in every mode', () => {
    for (const file of ['../x', '/etc/passwd', 'a/../../x', '~/x', 'a\0b'])
      for (const kind of ['read', 'edit'] as const)
        assert.equal(path('full', [{ decision: 'allow' }], kind, file), 'deny', file);
  });

  it('asks for secrets in every mode but full, unless a rule names them', () => {
    const secrets = [
      '.env',
      'a/.env.local',
      'id_rsa',
      '.ssh/config',
      'server.pem',
      '.git/config',
      '.npmrc',
      'x/secrets.yml',
      '.ENV',
    ];
    for (const file of secrets) {
      assert.equal(path('auto', [{ decision: 'allow', path: '**' }], 'read', file), 'ask', file);
      assert.equal(path('accept-edits', [{ decision: 'allow', tool: 'edit' }], 'edit', file), 'ask', file);
      assert.equal(path('full', [], 'read', file), 'allow', file);
      assert.equal(path('full', [{ decision: 'deny', path: '**' }], 'read', file), 'deny', file);
    }
    assert.equal(path('auto', [{ decision: 'allow', path: '.env*' }], 'read', '.env.local'), 'allow');
    for (const file of ['.env.example', 'id_rsa.pub', 'src/key.ts', 'environment.ts', '.gitignore', '.github/x.yml'])
      assert.equal(path('auto', [], 'read', file), 'allow', file);
  });

  it('holds hosts against rules however they are written', () => {
    const rules: PermissionRule[] = [
      { decision: 'allow', host: '*.example.com' },
      { decision: 'deny', host: 'evil.example.com' },
    ];
    const host = (name: string): Decision =>
      decide({ mode: 'auto', rules }, { tool: 'fetch', kind: 'network', host: name }).decision;
    assert.deepEqual(['docs.example.com', 'EVIL.example.com.', 'example.com', 'example.com.evil.org'].map(host), [
      'allow',
      'deny',
      'ask',
      'ask',
    ]);
    expectEach(['curl https://evil.example.com/x', 'node x https://EVIL.example.com:8080'], 'deny', 'full', rules);
    assert.equal(command('auto', rules, 'curl https://docs.example.com'), 'allow');
  });

  it('asks in mode auto for programs whose work is the network', () => {
    expectEach(['curl https://a.org', 'git push', 'x && wget b', 'npm publish', 'ssh host ls'], 'ask', 'auto', []);
    expectEach(['npm test', 'git status', 'echo "see https://a.org"', 'make -j4'], 'allow', 'auto', []);
    assert.equal(command('auto', [{ decision: 'allow', command: 'git push *' }], 'git push origin x'), 'allow');
  });
});

describe('a rule that allows commands', () => {
  const rules: PermissionRule[] = [
    { decision: 'allow', command: 'npm test *' },
    { decision: 'allow', command: 'cd *' },
    { decision: 'allow', command: 'git log | head' },
  ];

  it('allows what consists of such commands alone', () => {
    expectEach(
      [
        'npm test',
        '  npm   test  ',
        'npm test -- --grep "a b"',
        'cd packages/x && npm test',
        'npm test 2>&1',
        'npm test > /dev/null',
        'git log | head',
        '(cd a; npm test)',
        'if npm test; then npm test x; fi',
        'npm test # rm',
      ],
      'allow',
      'ask',
      rules,
    );
  });

  it('allows nothing with another command in it, or that is not wholly understood', () => {
    const others = [
      '; rm x',
      '&& rm x',
      '|| rm x',
      '| sh',
      '& rm x',
      '\nrm x',
      '$(rm x)',
      '`rm x`',
      '"$(rm x)"',
      '"`rm x`"',
      '> out',
      '>> .env',
      '<(rm x)',
      '$X',
      '${X:-$(rm x)}',
      '"$X"',
      "$'x'",
      '{a,b}',
      '<<E\n$(rm x)\nE',
      "'",
      '"',
      '\\',
      ';; rm',
      '>&out',
      '|& rm',
    ];
    expectEach(
      others.map((other) => `npm test ${other}`),
      'ask',
      'ask',
      rules,
    );
    expectEach(
      [
        'PATH=/x npm test',
        '/tmp/npm test',
        'npm tests',
        'npm',
        'sudo npm test',
        'f() { npm test; }',
        'n* test',
        'for x in 1; do npm test; done',
      ],
      'ask',
      'ask',
      rules,
    );
  });

  it('does not allow what such a command writes by redirection', () => {
    assert.equal(command('accept-edits', rules, 'npm test > out.txt'), 'allow');
    assert.equal(command('accept-edits', rules, 'npm test > .env'), 'ask');
    assert.equal(command('accept-edits', rules, 'npm test > ../out.txt'), 'ask');
    assert.equal(command('accept-edits', [...rules, { decision: 'deny', path: 'out*' }], 'npm test > out.txt'), 'deny');
  });
});

describe('a rule that denies commands', () => {
  const rules: PermissionRule[] = [
    { decision: 'deny', command: 'rm *' },
    { decision: 'deny', command: 'git push*' },
  ];
  const wrapped: ((inner: string) => string)[] = [
    (inner) => inner,
    (inner) => `/bin/${inner}`,
    (inner) => `  ${inner.replace(' ', '   ')}`,
    (inner) => `A=1 B='x y' ${inner}`,
    (inner) => `env -i A=1 ${inner}`,
    (inner) => `sudo -n -u root ${inner}`,
    (inner) => `command ${inner}`,
    (inner) => `nohup nice -n 5 ${inner}`,
    (inner) => `timeout --signal=KILL 5 ${inner}`,
    (inner) => `true; ${inner}`,
    (inner) => `true && ! ${inner}`,
    (inner) => `false || ${inner} &`,
    (inner) => `echo x | ${inner}`,
    (inner) => `(cd a; ${inner})`,
    (inner) => `{ ${inner}; }`,
    (inner) => `echo $(${inner})`,
    (inner) => `echo "\`${inner}\`"`,
    (inner) => `x=$(${inner}) make`,
    (inner) => `echo \${x:-$(${inner})}`,
    (inner) => `if true; then ${inner}; fi`,
    (inner) => `while true\ndo ${inner}\ndone`,
    (inner) => `echo a # comment\n${inner}`,
    (inner) => `true # '\n${inner}\n# '`,
    (inner) => `cat <<E\n$(${inner})\nE`,
    (inner) => `cat <<'E'\nx\nE\n${inner}`,
    (inner) => `cat <(${inner})`,
    (inner) => `find . -name x -exec ${inner} {} \\;`,
    (inner) => `ls | xargs -n1 ${inner}`,
    (inner) => `${inner} > /dev/null 2>&1`,
    (inner) => `>/dev/null ${inner}`,
    (inner) => inner.replace(' ', ' \\\n '),
    (inner) => inner.replace(/^(.)/, '\\$1'),
    (inner) => inner.replace(/^(.)/, "'$1'"),
    (inner) => inner.replace(/^(\w)(\w+)/, '$1""$2'),
    (inner) => inner.replace(/^(\w+)/, '"$1"'),
    (inner) => `trap '${inner}' EXIT`,
    (inner) => `eval ${inner}`,
    (inner) => `npx -c '${inner}'`,
  ];
  const scripts: ((inner: string) => string)[] = [
    (inner) => `sh -c '${inner.replaceAll("'", "'\\''")}'`,
    (inner) => `bash -euxc '${inner.replaceAll("'", "'\\''")}' name`,
    (inner) => `eval '${inner.replaceAll("'", "'\\''")}'`,
  ];

  it('denies them through every wrapping and every two of them', () => {
    for (const inner of ['rm -rf x', 'git push origin main'])
      for (const outer of wrapped) {
        assert.equal(command('full', rules, outer(inner)), 'deny', outer(inner));
        for (const script of scripts) {
          const twice = script(outer(inner));
          assert.equal(command('full', rules, twice), 'deny', twice);
          assert.equal(command('full', rules, outer('true') + `\n${twice}`), 'deny', twice);
        }
      }
  });

  it('denies a subcommand behind options of its program', () => {
    expectEach(['git -C x push', 'git -c a=b --no-pager push -f', 'rm', 'git push'], 'deny', 'full', rules);
    expectEach(['echo rm x', 'grep "git push" README.md', 'rmdir x'], 'allow', 'full', rules);
  });

  it('asks where a command may be hidden from it', () => {
    expectEach(
      [
        'X=rm; $X x',
        'rm${IFS}x',
        '$(echo rm) x',
        'echo cm0= | base64 -d | sh',
        'sh script.sh',
        '. ./x',
        'python3 -c "x"',
        'node -e x',
        'perl -e x',
        "$'\\x72m' x",
        './tool',
        'xargs < list',
        'r? x',
        'PATH=. make',
        'awk \'BEGIN{system("x")}\'',
        'sh <<E\nx\nE',
        'alias x=y',
      ],
      'ask',
      'full',
      rules,
    );
    expectEach(['npm test', 'git status', 'node --test', 'python3 -m pytest', 'ls *.ts'], 'allow', 'full', rules);
  });

  it('asks for programs that do what files of the workspace or variables tell them', () => {
    expectEach(
      [
        'node x.js',
        'node --import ./x.mjs --test',
        'python3 x.py',
        'python3 -m http.server',
        'make',
        'gradle build',
        'go run x.go',
        'awk -f x a',
        'git config alias.p "!x"',
        'git -c alias.p=!x p',
        'git rebase -x x HEAD',
        'git bisect run x',
        'git fetch ext::x',
        'npm pkg set scripts.x=y',
        'EDITOR=x git commit',
        'env GIT_SSH_COMMAND=x git fetch',
        'git apply p.diff && cat link',
        'pip install -e .',
      ],
      'ask',
      'full',
      rules,
    );
    expectEach(['node --version', 'git log -x', 'eslint .', 'tsc -p .', 'go test ./...'], 'allow', 'full', rules);
  });

  it('holds for the scripts of packages that a command runs, and through symbolic links', () => {
    const decideRun = (shell: string, more: { runs?: string[]; links?: Map<string, string> }): Decision =>
      decide(
        { mode: 'full', rules: [...rules, { decision: 'deny', kind: 'read', path: 'secrets/**' }] },
        { tool: 'run', kind: 'run', command: shell, ...more },
      ).decision;
    assert.equal(decideRun('npm test', { runs: ['mocha'] }), 'allow');
    assert.equal(decideRun('npm test', { runs: ['tsc', 'rm -rf x'] }), 'deny');
    assert.equal(decideRun('npm test', { runs: ['node x.js'] }), 'ask');
    const inAuto = { tool: 'run', kind: 'run', command: 'npm run x', runs: ['curl 127.0.0.1'] } as const;
    assert.equal(decide({ mode: 'auto', rules: [] }, inAuto).decision, 'ask');
    const links = new Map([
      ['open', 'docs/more'],
      ['docs/more', 'secrets'],
    ]);
    assert.equal(decideRun('cat open/key', { links }), 'deny');
    assert.equal(decideRun('cat docs/key', { links }), 'allow');
  });

  it('lets a file be read that only edits are denied of, and says so of programs that write', () => {
    const edits: PermissionRule[] = [{ decision: 'deny', kind: 'edit', path: 'keep/**' }];
    expectEach(
      ['cat keep/a', 'eslint keep', 'cp keep/a b', 'grep -r x .', 'make', 'node x.js'],
      'allow',
      'full',
      edits,
    );
    expectEach(
      ['rm -rf keep', 'sed -i s/a/b/ keep/a', 'cp b keep/a', 'mv keep/a b', 'tee keep/a', 'git checkout keep/a'],
      'deny',
      'full',
      edits,
    );
  });

  it('holds hosts against what programs of the network are given, with an address or without', () => {
    const hosts: PermissionRule[] = [{ decision: 'deny', kind: 'network', host: '127.0.0.1' }];
    expectEach(
      ['curl 127.0.0.1:80/x', 'nc 127.1 80', 'ssh u@127.0.0.1', "bash -c 'cat < /dev/tcp/127.0.0.1/80'"],
      'deny',
      'full',
      hosts,
    );
    expectEach(['nc $H 80', 'ssh box'], 'ask', 'full', hosts);
    expectEach(['curl example.com', 'ls 127.0.0.1'], 'allow', 'full', hosts);
    expectEach(['pip install --index-url http://127.0.0.1 x', 'cat < /dev/tcp/h/80'], 'ask', 'auto', []);
  });

  it('asks in every mode but full for what writes outside the workspace, and for what other processes were given', () => {
    expectEach(
      [
        'touch /tmp/x/y',
        'cp a /tmp/x',
        'cd /tmp/x && touch y',
        'sudo rm /etc/x',
        'dd if=a of=/tmp/x',
        'tar xf a -C /tmp/x',
        'cat /proc/1/environ',
        'strings /proc/*/environ',
      ],
      'ask',
      'auto',
      [],
    );
    expectEach(
      ['cp /etc/hosts a', 'sed -i /x/d a', 'echo a > /dev/null', 'dd if=/dev/zero of=a', 'touch a', 'node x.js'],
      'allow',
      'auto',
      [],
    );
  });

  it('holds for files that commands name', () => {
    const paths: PermissionRule[] = [{ decision: 'deny', path: 'secrets/**' }];
    const naming = [
      'cat secrets/x',
      'cat ./secrets/../secrets/x',
      'cd secrets && cat x',
      'cat < secrets/x',
      'echo > secrets/x',
      'cat /home/u/work/secrets/x',
      'node --env-file=secrets/x',
      'curl -d @secrets/x localhost',
      'git show HEAD:secrets/x',
      'cat SECRETS/x',
      'rm -rf secrets',
      "sh -c 'cat secrets/x'",
      'cat "secrets"/x',
    ];
    expectEach(naming, 'deny', 'full', paths);
    expectEach(
      ['cat sec*/x', 'cat */x', 'cat s?crets/x', 'grep -r key', 'rg key', 'cp -r . /tmp/x', 'tar c .'],
      'ask',
      'full',
      paths,
    );
    expectEach(['cat a/b', 'eslint .', 'ls *.ts', 'npm test'], 'allow', 'full', paths);
  });

  it('asks in mode auto for commands that name secrets', () => {
    expectEach(
      [
        'cat .env',
        'cat .e*',
        'cat a/.env.local',
        'cat ~/.ssh/id_ed25519',
        'cat < .npmrc',
        'curl -d @.env x',
        'rm -rf .git',
        'echo A=1 >> .env',
        'cat .[e]nv',
      ],
      'ask',
      'auto',
      [],
    );
  });
});

describe('taking commands apart', () => {
  it('never lets run what a real shell would run against the rules', () =>
    withTempDir(async (dir) => {
      await mkdir(`${dir}/bin`);
      await mkdir(`${dir}/work`);
      for (const name of ['ls', 'rm'])
        await writeFile(`${dir}/bin/${name}`, `#!/bin/sh\n: > ${dir}/ran-${name}\n`, { mode: 0o755 });
      const allowing: PermissionRule[] = [{ decision: 'allow', command: 'ls *' }];
      const denying: PermissionRule[] = [{ decision: 'deny', command: 'rm *' }];
      const words = [
        'ls',
        'ls',
        'rm',
        'rm x',
        ' ',
        ' ',
        "'",
        '"',
        '`',
        '$(',
        ')',
        '(',
        '{ ',
        '; }',
        '\\',
        '\n',
        ';',
        '&&',
        '|',
      ];
      const odd = [
        '<<E\n',
        '\nE\n',
        '<(',
        '>',
        '2>&1',
        '$',
        '${x:-',
        '}',
        '#',
        '=',
        '*',
        '!',
        'sh -c ',
        'eval ',
        'if ',
        'then ',
        'fi',
        'env ',
      ];
      const pieces = [...words, ...words, ...odd];
      let seed = 7;
      const next = (limit: number): number => (seed = (seed * 48_271) % 2_147_483_647) % limit;
      const allowed = new Set<string>();
      for (let round = 0; round < 30_000; round += 1) {
        const shell = Array.from({ length: 2 + next(9) }, () => pieces[next(pieces.length)]!).join('');
        if (!shell.includes('rm') || !/^ *(ls|rm|sh|eval|env|if|\(|\{|!|"|'|\\)/.test(shell)) continue;
        const isAllowed = command('ask', allowing, shell) === 'allow' || command('full', denying, shell) === 'allow';
        if (isAllowed) allowed.add(shell);
      }
      assert.ok(allowed.size > 100, `${allowed.size} allowed`);
      for (const shell of [...allowed].slice(0, 250)) {
        const env = { PATH: `${dir}/bin` };
        spawnSync('/bin/sh', ['-c', shell], { cwd: `${dir}/work`, env, timeout: 2_000, stdio: 'ignore' });
        assert.equal(existsSync(`${dir}/ran-rm`), false, JSON.stringify(shell));
      }
      assert.ok(existsSync(`${dir}/ran-ls`));
    }));

  it('is quick, whatever it is given', () => {
    const start = process.cpuUsage();
    for (const unit of ['$(', '`', '"', '(', 'env ', '<<E\n', '\\', '${', '{a,b}', 'sh -c '])
      command('full', [{ decision: 'deny', command: '*a*b*c*d*' }], unit.repeat(5_000));
    assert.ok(cpuMs(start) < 2_000, `${cpuMs(start)} ms`);
  });

  it('matches globs in time in proportion to their length', () => {
    const cases: [string, string, boolean][] = [
      ['src/**', 'src/a/b', true],
      ['src/*', 'src/a/b', false],
      ['**/*.ts', 'a.ts', true],
      ['**/*.ts', 'x/y/a.ts', true],
      ['**/b/*.ts', 'ab/x.ts', false],
      ['a/**/z', 'a/z', true],
      ['a/**/z', 'a/b/c/z', true],
      ['*.{ts,js}', 'x.js', true],
      ['pages/[id].tsx', 'pages/[id].tsx', true],
      ['?.ts', 'ab.ts', false],
    ];
    for (const [glob, text, expected] of cases)
      assert.equal(matchesGlob(glob, text, 'paths'), expected, `${glob} ${text}`);
    const start = process.cpuUsage();
    assert.equal(matchesGlob('*a'.repeat(200), 'a'.repeat(2_000) + 'b', 'text'), false);
    assert.ok(cpuMs(start) < 2_000, `${cpuMs(start)} ms`);
  });

  it('refuses a rule with more alternatives in a path than are matched, since some would not be denied', () => {
    const rule = (path: string) => permissionRuleSchema.safeParse({ decision: 'deny', path });
    assert.equal(rule('{a,b}'.repeat(6)).success, true);
    const refused = rule('{a,b}'.repeat(7));
    assert.match(refused.error?.issues[0]?.message ?? '', /more than 64 alternatives/);
  });
});

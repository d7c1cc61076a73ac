import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseRecipe } from '../../../contracts/recipe.ts';
import { recipeCommand } from '../../../modes/refactoring/command.ts';
import { Workspace } from '../../../modes/refactoring/workspace.ts';
import { writeChanges } from '../../../modes/refactoring/write-changes.ts';
import { withProject } from './project.ts';
import type { Project } from './project.ts';

interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a recipe as a step does: by the shell, in the workspace, with a small environment. */
function runStep(project: Project, recipe: string, env: Record<string, string> = {}): Promise<Outcome> {
  const { shell } = recipeCommand(parseRecipe(recipe));
  return new Promise((resolve) => {
    const child = execFile(
      'sh',
      ['-c', shell],
      { cwd: project.root, env: { PATH: process.env['PATH'] ?? '', ...env } },
      (_, stdout, stderr) => {
        resolve({ code: child.exitCode, stdout, stderr });
      },
    );
  });
}

describe('the program of a recipe step', () => {
  it('prints one line of JSON and exits with 0', () =>
    withProject({ "it's/a.ts": 'export const old = 1;\n' }, async (project) => {
      const { code, stdout, stderr } = await runStep(project, "rename-symbol:it's/a.ts#old=fresh");
      assert.equal(stderr, '');
      assert.equal(stdout, `{"changed":["it's/a.ts"],"summary":"renamed old to fresh: 1 place in 1 file"}\n`);
      assert.equal(code, 0);
    }));

  it('exits with 0 when there is nothing to change, and with 3 and the reason when it does not apply', () =>
    withProject({ 'a.ts': 'export const old = 1;\n' }, async (project) => {
      const nothing = await runStep(project, 'organise-imports');
      assert.deepEqual([nothing.code, (JSON.parse(nothing.stdout) as { changed: string[] }).changed], [0, []]);
      const refused = await runStep(project, 'rename-symbol:none=some');
      assert.deepEqual([refused.code, refused.stdout], [3, '']);
      assert.match(refused.stderr, /^no file of the workspace declares "none" at its top level: .*\n$/);
    }));

  it('is not led astray by a repository around it, or by the configuration of the one it is in', () =>
    withProject(
      {
        'inner/a.ts': 'export const old = 1;\n',
        '.gitignore': 'inner/\n',
        'inner/.git/HEAD': 'ref: refs/heads/main\n',
      },
      async (project) => {
        const git = (...args: string[]) =>
          new Promise((resolve) => execFile('git', args, { cwd: project.root }, resolve));
        await git('init', '--quiet');
        await project.write({
          'inner/.git/config':
            '[core]\n\trepositoryformatversion = 0\n\tfsmonitor = "touch hacked; false"\n\tpager = "touch hacked"\n',
          'inner/.git/objects/x': '',
          'inner/.git/refs/x': '',
        });
        const inner = Object.assign(Object.create(Object.getPrototypeOf(project) as object) as Project, {
          root: join(project.root, 'inner'),
        });
        const { code, stderr } = await runStep(inner, 'rename-symbol:old=fresh');
        assert.equal(code, 0, stderr);
        assert.deepEqual((await readdir(inner.root)).sort(), ['.git', 'a.ts']);
      },
    ));

  it('leaves all files old or all new when it is killed, and no temporary ones', () =>
    withProject(
      Object.fromEntries(
        Array.from({ length: 40 }, (_, i) => [
          `f${i}.ts`,
          i === 0 ? 'export const old = 1;\n' : `export { old as old${i} } from './f0.js';\n`,
        ]),
      ),
      async (project) => {
        const temporary = await mkdtemp(join(tmpdir(), 'helix-test-'));
        const { shell } = recipeCommand(parseRecipe('rename-symbol:f0.ts#old=fresh'));
        const child = spawn('sh', ['-c', `exec ${shell}`], {
          cwd: project.root,
          env: { PATH: process.env['PATH'], TMPDIR: temporary },
          stdio: 'ignore',
        });
        const ended = new Promise((resolve) => child.once('exit', resolve));
        // Let it get as far as the first write, then interrupt it.
        const untouched = 'export const old = 1;\n';
        while (child.exitCode === null && (await project.read('f0.ts')) === untouched)
          await new Promise((resolve) => setTimeout(resolve, 2));
        child.kill('SIGTERM');
        await ended;
        const contents = Object.values(await project.contents()).filter((text) => text.startsWith('export'));
        assert.equal(contents.length, 40);
        assert.equal(contents.filter((text) => /\bold\b/.test(text)).length, 0);
        assert.deepEqual(await readdir(temporary), []);
      },
    ));

  it('puts everything back when a file cannot be written', () =>
    withProject({ 'a.ts': 'export const a = 1;\n', 'b.ts': "export { a } from './a.js';\n" }, async (project) => {
      const before = await project.contents();
      const workspace = await Workspace.open(project.root);
      // A file cannot be made below another one: by then all the rest is written.
      const files = new Map([
        ['a.ts', 'changed'],
        ['b.ts', null],
        ['deep/new.ts', 'new'],
        ['deep/new.ts/below.ts', 'impossible'],
      ]);
      await assert.rejects(writeChanges(workspace, files), /deep\/new\.ts is a file/);
      assert.deepEqual(await project.contents(), before);
      assert.deepEqual((await readdir(project.root)).sort(), ['a.ts', 'b.ts', 'package.json', 'tsconfig.json']);
      await project.refuses('move-file:a.ts=b.ts/a.ts', /b\.ts is a file, so b\.ts\/a\.ts cannot be below it/);
    }));
});

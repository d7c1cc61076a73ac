import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { HelixError } from '../../../contracts/error.ts';
import { parseRecipe } from '../../../contracts/recipe.ts';
import { applyRecipe } from '../../../modes/refactoring/apply.ts';
import { withTempDir } from '../../support/temp-dir.ts';

const run = promisify(execFile);
const compiler = join(import.meta.dirname, '../../../node_modules/typescript/bin/tsc');

/** A small real project in a temporary folder. */
export class Project {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  async write(files: Record<string, string>): Promise<void> {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(this.root, path)), { recursive: true });
      await writeFile(join(this.root, path), text);
    }
  }

  read(path: string): Promise<string> {
    return readFile(join(this.root, path), 'utf8');
  }

  /** Applies a recipe as written on a command line. */
  apply(recipe: string): Promise<{ changed: string[]; summary: string }> {
    return applyRecipe(this.root, parseRecipe(recipe));
  }

  /** Asserts that the recipe does not apply, for a reason that matches, and that nothing was touched. */
  async refuses(recipe: string, reason: RegExp): Promise<void> {
    const before = await this.contents();
    await assert.rejects(this.apply(recipe), (error: unknown) => {
      assert.ok(error instanceof HelixError, String(error));
      assert.equal(error.code, 'recipe.not-applicable');
      assert.match(error.message, reason);
      return true;
    });
    assert.deepEqual(await this.contents(), before);
  }

  /** Every file by path. */
  async contents(): Promise<Record<string, string>> {
    const entries = await readdir(this.root, { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort();
    return Object.fromEntries(
      await Promise.all(files.map(async (file) => [file.slice(this.root.length + 1), await readFile(file, 'latin1')])),
    );
  }

  /** What the real compiler has to say about the project; empty when it is content. */
  async typeErrors(config = 'tsconfig.json'): Promise<string[]> {
    try {
      await run(process.execPath, [compiler, '--noEmit', '--pretty', 'false', '-p', join(this.root, config)]);
      return [];
    } catch (error) {
      const { stdout } = error as { stdout: string };
      return stdout.split('\n').filter((line) => line.includes('error TS'));
    }
  }

  async node(...args: string[]): Promise<string> {
    const { stdout } = await run(process.execPath, args, { cwd: this.root });
    return stdout;
  }
}

export const strictConfig = (extra: object = {}): string =>
  JSON.stringify({
    compilerOptions: {
      target: 'es2022',
      lib: ['es2022'],
      module: 'nodenext',
      moduleResolution: 'nodenext',
      strict: true,
      types: [],
      allowJs: true,
      checkJs: true,
      noEmit: true,
      skipLibCheck: true,
      ...extra,
    },
  });

/** Runs `use` with a project made of the files; an ES module package with a strict tsconfig unless they say otherwise. */
export function withProject(files: Record<string, string>, use: (project: Project) => Promise<void>): Promise<void> {
  return withTempDir(async (dir) => {
    const project = new Project(dir);
    await project.write({ 'package.json': '{ "type": "module" }', 'tsconfig.json': strictConfig(), ...files });
    await use(project);
  });
}

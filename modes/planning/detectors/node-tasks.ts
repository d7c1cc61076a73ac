import type { Layer } from '../../../contracts/step.ts';
import { closure } from '../graph.ts';
import { isInside, joinPath } from '../source-tree.ts';
import type { SourceTree } from '../source-tree.ts';
import type { DraftTask } from './detector.ts';
import { folderTitle, taskKey } from './detector.ts';
import { hasDependency } from './node-manifest.ts';
import type { NodePackage } from './node-manifest.ts';
import { buildOutputs } from './node-outputs.ts';
import { buildScript, delegates, expandScript, testScript } from './node-scripts.ts';
import { readTsConfig } from './tsconfig.ts';

interface Workspace {
  root: NodePackage;
  members: NodePackage[];
  /** Dependencies between the packages, by folder, without cycles. */
  edges: ReadonlyMap<string, readonly string[]>;
  run: (script: string) => string;
  layers: Layer[];
}

/** The build, check and test tasks of a root and its workspaces. */
export async function workspaceTasks(
  tree: SourceTree,
  workspace: Workspace,
): Promise<{ tasks: DraftTask[]; notes: string[] }> {
  const { root, members, edges, run, layers } = workspace;
  const packs = [root, ...members];
  const notes: string[] = [];
  const build = chooseBuilds(root, members, notes);
  const tests = chooseTests(tree, root, members, notes);
  const common = { ofPackage: true, env: { CI: 'true' }, layers, tools: ['node', 'npm'] };
  const install = layers.length > 0 ? [taskKey('install', root.folder)] : [];

  /** Builds that must be there before something is done in a package: those of all it depends on, and one at the root that serves all. */
  const needed = (pack: NodePackage): string[] => {
    const below =
      pack === root
        ? members.flatMap((member) => [...closure(edges, member.folder), member.folder])
        : closure(edges, pack.folder);
    const folders = below.filter((folder) => folder !== pack.folder && build.has(folder));
    const fromRoot = build.get(root.folder)?.forAll && pack !== root ? [root.folder] : [];
    return [...new Set([...fromRoot, ...folders])].map((folder) => taskKey('build', folder));
  };

  const tasks: DraftTask[] = [];
  for (const pack of packs) {
    const { folder } = pack;
    const chosen = build.get(folder);
    if (chosen) {
      const outputsOf = chosen.forAll ? packs : [pack];
      const outputs = await Promise.all(
        outputsOf.map((each) => buildOutputs(tree, each, each === pack ? chosen.script : 'build')),
      );
      const needs = [...install, ...(chosen.forAll ? [] : needed(pack))];
      tasks.push({
        ...common,
        kind: 'build',
        folder,
        title: `Build ${folderTitle(folder)}`,
        shell: run(chosen.script),
        needs,
        outputs: outputs.flat(),
      });
    }
    if (tests.has(folder)) {
      const needs = [...install, ...needed(pack), ...(chosen ? [taskKey('build', folder)] : [])];
      tasks.push({ ...common, kind: 'test', folder, title: `Test ${folderTitle(folder)}`, shell: run('test'), needs });
    }
  }
  for (const { pack, shell } of await chooseChecks(tree, root, members)) {
    tasks.push({
      ...common,
      kind: 'check',
      folder: pack.folder,
      title: `Check the types of ${folderTitle(pack.folder)}`,
      shell,
      needs: [...install, ...needed(pack)],
    });
  }
  return { tasks, notes };
}

/**
 * Which builds are run. A root script that hands the work to the workspaces (npm -ws, turbo, lerna ...) is left out, since its parts are
 * tasks themselves. Where no workspace builds itself, the root's script builds for all.
 */
function chooseBuilds(
  root: NodePackage,
  members: NodePackage[],
  notes: string[],
): Map<string, { script: string; forAll: boolean }> {
  const chosen = new Map<string, { script: string; forAll: boolean }>();
  for (const member of members) {
    const script = buildScript(member);
    if (script) chosen.set(member.folder, { script, forAll: false });
  }
  const script = buildScript(root);
  if (!script) return chosen;
  if (members.length === 0 || chosen.size === 0) chosen.set(root.folder, { script, forAll: members.length > 0 });
  else if (delegates(expandScript(root, script)) || /\btsc (-b|--build)\b/.test(expandScript(root, script))) {
    notes.push(`The root's script "${script}" only builds the workspaces: each is built by a task of its own instead`);
  } else chosen.set(root.folder, { script, forAll: false });
  return chosen;
}

/** Which packages are tested. A root script counts when it does not hand on to the workspaces and there are tests that no workspace runs. */
function chooseTests(tree: SourceTree, root: NodePackage, members: NodePackage[], notes: string[]): Set<string> {
  const chosen = new Set(members.filter((member) => testScript(member) !== undefined).map((member) => member.folder));
  if (testScript(root) === undefined) return chosen;
  const tested = members.filter((member) => chosen.has(member.folder));
  const isTest = (path: string): boolean =>
    /(^|\/)(tests?|__tests__|spec|e2e)\/|[._-](test|spec)\.[cm]?[jt]sx?$/.test(
      path.slice(root.folder === '.' ? 0 : root.folder.length + 1),
    );
  const leftOver = tree
    .entriesBelow(root.folder)
    .some(
      ({ path }) =>
        /\.[cm]?[jt]sx?$/.test(path) && isTest(path) && !tested.some((member) => isInside(path, member.folder)),
    );
  if (tested.length === 0) chosen.add(root.folder);
  else if (leftOver && !delegates(expandScript(root, 'test'))) chosen.add(root.folder);
  else notes.push(`The root's test script was left out: the workspaces' own tests are tasks of their own`);
  return chosen;
}

/** Type checks by package. A root tsconfig that references packages checks those together, in one `tsc -b`. */
async function chooseChecks(
  tree: SourceTree,
  root: NodePackage,
  members: NodePackage[],
): Promise<{ pack: NodePackage; shell: string }[]> {
  const checks: { pack: NodePackage; shell: string }[] = [];
  const covered = new Set<string>();
  for (const pack of [root, ...members]) {
    if (!hasDependency(pack, 'typescript') && !hasDependency(root, 'typescript')) continue;
    const path = joinPath(pack.folder, 'tsconfig.json');
    const config = tree.isFile(path) && !covered.has(path) ? await readTsConfig(tree, path) : undefined;
    if (!config) continue;
    if (pack === root) for (const reference of config.references) covered.add(reference);
    // A project with references can only be checked in build mode, which compiles what it refers to first.
    checks.push({ pack, shell: config.references.length > 0 ? 'npx --no -- tsc -b' : 'npx --no -- tsc --noEmit' });
  }
  return checks;
}

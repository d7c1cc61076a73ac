import type { NodePackage } from './node-manifest.ts';
import { hasDependency } from './node-manifest.ts';

const gitHooks = /husky|simple-git-hooks|lefthook|pre-commit|yorkie|git config|only-allow|opencollective|\bis-ci\b/;

/** Whether a script only sets up a developer's checkout (git hooks and the like), which a step has no use for. */
export function isCheckoutSetup(script: string): boolean {
  return gitHooks.test(script);
}

/** The script that builds a package: `build`, `compile`, or a `prepare` that is no set-up of git hooks. */
export function buildScript(pack: NodePackage): string | undefined {
  if (pack.scripts['build']) return 'build';
  if (pack.scripts['compile']) return 'compile';
  const prepare = pack.scripts['prepare'];
  return prepare && !isCheckoutSetup(prepare) ? 'prepare' : undefined;
}

/** The package's test script, with npm's default ("no test specified") counting as none. */
export function testScript(pack: NodePackage): string | undefined {
  const script = pack.scripts['test'];
  return script && !/no test specified/.test(script) ? script : undefined;
}

/** A script's text with the scripts of the same package that it runs put after it. */
export function expandScript(pack: NodePackage, name: string, depth = 3): string {
  const text = [`pre${name}`, name, `post${name}`].map((each) => pack.scripts[each] ?? '').join('\n');
  if (depth === 0) return text;
  const inner = [...text.matchAll(/\b(?:npm|pnpm|yarn) (?:run |run-script )?(?:-s |--silent )?([\w:.-]+)/g)]
    .map((match) => match[1] ?? '')
    .filter((other) => other !== name && pack.scripts[other] !== undefined);
  return [text, ...inner.map((other) => expandScript(pack, other, depth - 1))].join('\n');
}

/** Whether a script of a workspace's root hands the work to the workspace's packages. */
export function delegates(script: string): boolean {
  return /--workspaces?\b|\s-ws?\b|\s-r\b|--recursive|--filter\b|\blerna\b|\bturbo\b|\bnx\b|\bwsrun\b|\bmoon\b|\bworkspaces? (foreach|run)\b/.test(
    script,
  );
}

const frameworks: [name: string, inScript: RegExp, dependency: string][] = [
  ['vitest', /\bvitest\b/, 'vitest'],
  ['jest', /\bjest\b|react-scripts test/, 'jest'],
  ['mocha', /\bmocha\b/, 'mocha'],
  ['ava', /\bava\b/, 'ava'],
  ['uvu', /\buvu\b/, 'uvu'],
  ['tape', /\btape\b|\bairtap\b/, 'tape'],
  ['tap', /\btap\b/, 'tap'],
  ['node:test', /--test\b|\bborp\b/, 'borp'],
  ['jasmine', /\bjasmine\b/, 'jasmine'],
  ['playwright', /\bplaywright\b/, '@playwright/test'],
];

export function testFramework(pack: NodePackage, root: NodePackage): string | undefined {
  const script = expandScript(pack, 'test');
  const named =
    frameworks.find(([, inScript]) => inScript.test(script)) ??
    frameworks.find(([, , dependency]) => hasDependency(pack, dependency) || hasDependency(root, dependency));
  return named?.[0];
}

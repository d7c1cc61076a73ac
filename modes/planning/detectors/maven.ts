import { posix } from 'node:path';
import { XMLParser } from 'fast-xml-parser';
import { breakCycles } from '../graph.ts';
import { notedManifests, selectRoots } from '../nested.ts';
import { joinPath } from '../source-tree.ts';
import type { SourceTree } from '../source-tree.ts';
import { isTable, tableAt } from '../tables.ts';
import type { Table } from '../tables.ts';
import type { Detection, Detector, DraftPackage, DraftTask } from './detector.ts';
import { folderTitle, taskKey } from './detector.ts';

/** Maven reactors: one build and one test per top pom, since Maven orders and links its modules itself. */
export const maven: Detector = {
  ecosystem: 'maven',
  manifests: ['pom.xml'],

  async detect(tree): Promise<Detection> {
    const poms = new Map<string, Pom>();
    for (const folder of tree.foldersWith('pom.xml')) {
      const pom = readPom((await tree.text(joinPath(folder, 'pom.xml'))) ?? '', folder);
      if (pom) poms.set(folder, pom);
    }
    const members = new Set([...poms.values()].flatMap((pom) => pom.modules).filter((folder) => poms.has(folder)));
    const { roots, noted } = selectRoots([...poms.keys()], { members });
    const packages: DraftPackage[] = [];
    const tasks: DraftTask[] = [];
    const notes = notedManifests('pom.xml', noted);
    for (const root of roots) {
      const modules = reactor(root, poms);
      packages.push(...modulePackages(tree, modules, poms));
      const mvn = tree.isExecutable(joinPath(root, 'mvnw')) ? './mvnw' : 'mvn';
      const tools = mvn === 'mvn' ? ['java', 'mvn'] : ['java'];
      const jars = modules.flatMap((folder) => poms.get(folder)?.jar ?? []);
      const tested = modules.filter((folder) => tree.isFolder(joinPath(folder, 'src/test')));
      const common = { folder: root, ofPackage: true, tools };
      const title =
        modules.length > 1 ? `${folderTitle(root)} and its ${modules.length - 1} modules` : folderTitle(root);
      tasks.push({
        ...common,
        kind: 'build',
        title: `Build ${title} with Maven`,
        shell: `${mvn} -B -q -DskipTests package`,
        needs: [],
        outputs: jars,
      });
      if (tested.length > 0) {
        tasks.push({
          ...common,
          kind: 'test',
          title: `Test ${title} with Maven`,
          shell: `${mvn} -B test`,
          needs: [taskKey('build', root)],
          outputs: tested.map((folder) => joinPath(folder, 'target/surefire-reports')),
        });
      } else notes.push(`${poms.get(root)?.artifactId ?? root} (Maven) has no tests`);
    }
    return { packages, tasks, notes };
  },
};

interface Pom {
  groupId?: string;
  artifactId: string;
  version?: string;
  modules: string[];
  /** Workspace-relative path of the jar, when its name can be told from the pom. */
  jar: string[];
  dependencies: string[];
}

const parser = new XMLParser({
  ignoreAttributes: true,
  parseTagValue: false,
  isArray: (name) => name === 'module' || name === 'dependency',
});

function readPom(text: string, folder: string): Pom | undefined {
  let project: Table | undefined;
  try {
    project = tableAt(parser.parse(text) as Table, 'project');
  } catch {
    return undefined;
  }
  const artifactId = literal(project, 'artifactId');
  if (!artifactId) return undefined;
  const version = literal(project, 'version') ?? literal(tableAt(project, 'parent'), 'version');
  const groupId = literal(project, 'groupId') ?? literal(tableAt(project, 'parent'), 'groupId');
  const packaging = literal(project, 'packaging') ?? 'jar';
  const modules = tableAt(project, 'modules')?.['module'];
  const dependencies = tableAt(project, 'dependencies')?.['dependency'];
  return {
    artifactId,
    ...(groupId ? { groupId } : {}),
    ...(version ? { version } : {}),
    modules: (Array.isArray(modules) ? modules : []).map((module) =>
      joinPath(folder, String(module).replace(/\/pom\.xml$/, '')),
    ),
    jar: version && packaging === 'jar' ? [joinPath(folder, `target/${artifactId}-${version}.jar`)] : [],
    dependencies: (Array.isArray(dependencies) ? dependencies : [])
      .filter(isTable)
      .map(
        (dependency) => `${literal(dependency, 'groupId') ?? groupId ?? ''}:${literal(dependency, 'artifactId') ?? ''}`,
      ),
  };
}

/** A value without properties to fill in; `${project.groupId}` counts as absent. */
function literal(table: Table | undefined, key: string): string | undefined {
  const value = table?.[key];
  return typeof value === 'string' && value !== '' && !value.includes('${') ? value.trim() : undefined;
}

function reactor(root: string, poms: ReadonlyMap<string, Pom>): string[] {
  const found = new Set<string>();
  const queue = [root];
  for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
    if (found.has(at) || !poms.has(at)) continue;
    found.add(at);
    queue.push(...(poms.get(at)?.modules ?? []));
  }
  return [...found];
}

function modulePackages(tree: SourceTree, modules: string[], poms: ReadonlyMap<string, Pom>): DraftPackage[] {
  const byId = new Map(
    modules.map((folder) => [`${poms.get(folder)?.groupId ?? ''}:${poms.get(folder)?.artifactId}`, folder]),
  );
  const wanted = new Map(
    modules.map((folder) => [
      folder,
      (poms.get(folder)?.dependencies ?? []).map((id) => byId.get(id)).filter((other) => other !== undefined),
    ]),
  );
  const { edges } = breakCycles(wanted);
  return modules.map((folder) => {
    const pom = poms.get(folder);
    return {
      name: pom?.artifactId ?? posix.basename(folder),
      path: folder,
      ecosystem: 'maven',
      manager: 'maven',
      ...(pom?.version ? { version: pom.version } : {}),
      dependsOn: edges.get(folder) ?? [],
      buildCommand: 'mvn package',
      ...(tree.isFolder(joinPath(folder, 'src/test')) ? { testCommand: 'mvn test', testFramework: 'surefire' } : {}),
    };
  });
}

import { combineCapabilityClasses } from '../../contracts/capability-class.ts';
import type { Ecosystem, Task } from '../../contracts/plan.ts';
import type { Detection, DraftPackage, DraftTask } from './detectors/detector.ts';
import { taskKey } from './detectors/detector.ts';
import { compare } from './source-tree.ts';

export interface Found extends Detection {
  ecosystem: Ecosystem;
}

const kinds = ['install', 'build', 'check', 'test'] as const;

/** Gives the drafts of all ecosystems their ids and what the whole plan decides: the user's variables and the node class. */
export function finishTasks(
  found: Found[],
  names: ReadonlyMap<DraftPackage, string>,
  options: { env: Record<string, string>; nodeClass?: string },
): Task[] {
  const drafts = found.flatMap((part) => part.tasks.map((draft) => ({ draft, part })));
  const loneInstall = drafts.filter(({ draft }) => draft.kind === 'install').length === 1;
  const ids = new Map<DraftTask, string>();
  const taken = new Set<string>();
  for (const { draft, part } of drafts) {
    const plain = draft.kind === 'install' && loneInstall ? 'install' : `${draft.kind}:${label(draft, part, names)}`;
    const id = taken.has(plain) ? `${plain} (${part.ecosystem})` : plain;
    taken.add(id);
    ids.set(draft, id);
  }
  const tasks = drafts.map(({ draft, part }): Task => {
    const byKey = new Map(part.tasks.map((task) => [taskKey(task.kind, task.folder), ids.get(task)]));
    const needs = draft.needs.map((key) => byKey.get(key)).filter((id) => id !== undefined);
    const owner = packageOf(draft, part);
    return {
      id: ids.get(draft) ?? draft.kind,
      kind: draft.kind,
      ...(draft.ofPackage && owner ? { package: names.get(owner) ?? owner.name } : {}),
      title: draft.title,
      command: { shell: draft.shell, cwd: draft.cwd ?? draft.folder },
      env: { ...draft.env, ...options.env },
      layers: draft.layers ?? [],
      needs: [...new Set(needs)],
      outputs: [...new Set(draft.outputs)].sort(compare),
      tools: [...draft.tools].sort(compare),
      class: combineCapabilityClasses(draft.tools.join(' && '), options.nodeClass),
    };
  });
  return tasks.sort((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind) || compare(a.id, b.id));
}

function label(draft: DraftTask, part: Found, names: ReadonlyMap<DraftPackage, string>): string {
  const owner = packageOf(draft, part);
  if (draft.ofPackage && owner) return names.get(owner) ?? owner.name;
  return draft.folder === '.' ? part.ecosystem : draft.folder;
}

function packageOf(draft: DraftTask, part: Found): DraftPackage | undefined {
  return part.packages.find((candidate) => candidate.path === draft.folder);
}

import type { PackageInfo, Plan, Task, WorkItem } from '../../contracts/plan.ts';

const mostPackagesDrawn = 25;

/** The plan as a page for people: what the project is, what will be run, where, and what to know beforehand. */
export function planMarkdown(plan: Plan, options: { goal: string; project: string }): string {
  const sections = [
    `# Plan for ${text(options.project)}`,
    quotation(options.goal),
    overview(plan),
    languages(plan),
    packages(plan.packages),
    graph(plan.packages),
    tasks(plan.tasks),
    plan.notes.length > 0 ? `## Notes\n\n${plan.notes.map((note) => `- ${text(note)}`).join('\n')}` : '',
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

/** What an agent says about reaching the goal, and the parts it would divide the work into: sections to follow the page of the plan. */
export function approachMarkdown(approach: string, items: readonly WorkItem[]): string {
  const sections = approach.trim() === '' ? [] : [`## Approach\n\n${approach.trim()}`];
  if (items.length > 0) {
    const rows = items.map(({ id, title, needs, files }) => [
      code(id),
      text(title),
      needs.map(code).join(', ') || '–',
      files.map(code).join(', ') || '–',
    ]);
    const how = 'Each is carried out by an agent of its own; those that do not need each other, at the same time.';
    sections.push(`## Work items\n\n${how}\n\n${table(['Item', 'Title', 'After', 'Files'], rows)}`);
    for (const { id, title, prompt } of items) sections.push(`### ${id}: ${text(title)}\n\n${quotation(prompt)}`);
  }
  return sections.length > 0 ? `\n${sections.join('\n\n')}\n` : '';
}

function quotation(said: string): string {
  if (said.trim() === '') return '';
  const lines = said.trim().split(/\r?\n/);
  return lines.map((line) => `> ${text(line)}`).join('\n');
}

function overview(plan: Plan): string {
  const ecosystems = [...new Set(plan.packages.map((each) => each.ecosystem))].join(', ');
  const what = plan.packages.length > 0 ? `${count(plan.packages.length, 'package')} (${ecosystems})` : 'no packages';
  const kinds = (['install', 'build', 'check', 'test'] as const)
    .map((kind) => ({ kind, number: plan.tasks.filter((task) => task.kind === kind).length }))
    .filter(({ number }) => number > 0)
    .map(({ kind, number }) => `${number} ${kind}`);
  const run =
    plan.tasks.length > 0 ? `${count(plan.tasks.length, 'step')} to run: ${kinds.join(', ')}.` : 'Nothing to run.';
  return `${count(plan.files, 'file')}, ${size(plan.bytes)}, ${what}. ${run}`;
}

function languages(plan: Plan): string {
  if (plan.languages.length === 0) return '';
  const rows = plan.languages.map(({ name, files, lines, bytes }) => [name, number(files), number(lines), size(bytes)]);
  return `## Languages\n\n${table(['Language', 'Files', 'Lines', 'Size'], rows, [false, true, true, true])}`;
}

function packages(all: PackageInfo[]): string {
  if (all.length === 0) return '';
  const rows = all.map((each) => [
    `${text(each.name)}${each.version ? ` ${text(each.version)}` : ''}`,
    code(each.path),
    each.manager,
    each.testFramework ?? (each.testCommand ? 'yes' : 'none'),
    each.dependsOn.map(text).join(', ') || '–',
    size(each.bytes),
  ]);
  return `## Packages\n\n${table(['Package', 'Folder', 'Tool', 'Tests', 'Needs', 'Size'], rows, [false, false, false, false, false, true])}`;
}

/** Arrows go from a package to those that need it, the order of building. */
function graph(all: PackageInfo[]): string {
  const edges = all.flatMap((each) => each.dependsOn.map((needed) => ({ from: needed, to: each.name })));
  if (edges.length === 0) return '';
  if (all.length > mostPackagesDrawn) {
    return `The packages have ${count(edges.length, 'dependency', 'dependencies')} on each other, too many to draw.`;
  }
  const ids = new Map(all.map((each, index) => [each.name, `p${index}`]));
  const nodes = all.map((each) => `  ${ids.get(each.name)}["${each.name.replaceAll('"', '#quot;')}"]`);
  const arrows = edges.map(({ from, to }) => `  ${ids.get(from)} --> ${ids.get(to)}`);
  return ['```mermaid', 'graph LR', ...nodes, ...arrows, '```'].join('\n');
}

function tasks(all: Task[]): string {
  if (all.length === 0) return '';
  const rows = all.map((task) => [
    code(task.id),
    task.kind === 'install' ? code(task.layers[0]?.install.shell ?? task.command.shell) : code(task.command.shell),
    code(task.kind === 'install' ? (task.layers[0]?.install.cwd ?? task.command.cwd) : task.command.cwd),
    code(task.class),
    task.needs.map(code).join(', ') || '–',
  ]);
  return `## Steps\n\n${table(['Step', 'Command', 'In', 'On nodes with', 'After'], rows)}`;
}

function table(head: string[], rows: string[][], right: boolean[] = []): string {
  const line = (cells: string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, index) => (right[index] ? '---:' : '---'))), ...rows.map(line)].join('\n');
}

/** Names come from hostile manifests: nothing in them may become markup or end a table's cell. */
function text(value: string): string {
  return value.replace(/[\\`*_{}[\]<>|#]/g, '\\$&').replace(/[\r\n]+/g, ' ');
}

function code(value: string): string {
  const shown = value.replace(/[\r\n]+/g, ' ').replaceAll('|', '\\|');
  const fence = '`'.repeat(Math.max(0, ...[...shown.matchAll(/`+/g)].map((match) => match[0].length)) + 1);
  return fence.length > 1 ? `${fence} ${shown} ${fence}` : `\`${shown}\``;
}

function count(value: number, one: string, many = `${one}s`): string {
  return `${number(value)} ${value === 1 ? one : many}`;
}

function number(value: number): string {
  return value.toLocaleString('en-GB');
}

function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[power - 1]}`;
}

import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Plan, Task } from '../../../contracts/plan.ts';
import type { Layer } from '../../../contracts/step.ts';
import { readTestReport } from '../../../modes/testing/report.ts';
import type { TestReport } from '../../../modes/testing/report.ts';

export interface TaskRun {
  task: Task;
  exitCode: number;
  log: string;
  report: TestReport;
}

/**
 * Runs a plan's tasks one after the other as nodes would, without a node: each in a fresh copy of the sources, layers made in one folder
 * and copied to the others, outputs of needed tasks laid over.
 */
export async function runPlan(sources: string, plan: Plan, scratch: string): Promise<TaskRun[]> {
  const layers = new Map<string, string>();
  const outputs = new Map<string, string>();
  const runs: TaskRun[] = [];
  for (const task of inOrder(plan.tasks)) {
    const slot = await mkdtemp(join(scratch, 'slot-'));
    await cp(sources, slot, { recursive: true, verbatimSymlinks: true });
    for (const layer of task.layers) {
      const made = layers.get(layer.key) ?? (await makeLayer(sources, layer, scratch));
      layers.set(layer.key, made);
      for (const path of layer.paths) await copyIfThere(join(made, path), join(slot, path));
    }
    for (const need of task.needs) {
      const from = outputs.get(need);
      const paths = plan.tasks.find((other) => other.id === need)?.outputs ?? [];
      for (const path of from ? paths : []) await copyIfThere(join(from ?? '', path), join(slot, path));
    }
    const env = { ...layerEnv(task.layers, slot), ...task.env };
    const { exitCode, log } = await shell(task.command.shell, join(slot, task.command.cwd), env);
    outputs.set(task.id, slot);
    const files = new Map<string, Buffer>();
    for (const path of task.outputs) await readAll(slot, path, files);
    runs.push({ task, exitCode, log, report: readTestReport({ task: task.id, log, exitCode, end: 'exited', files }) });
  }
  return runs;
}

async function makeLayer(sources: string, layer: Layer, scratch: string): Promise<string> {
  const slot = await mkdtemp(join(scratch, 'layer-'));
  await cp(sources, slot, { recursive: true, verbatimSymlinks: true });
  const { exitCode, log } = await shell(layer.install.shell, join(slot, layer.install.cwd), layerEnv([layer], slot));
  if (exitCode !== 0) throw new Error(`${layer.install.shell} ended with exit code ${exitCode}\n${log}`);
  return slot;
}

function layerEnv(layers: Layer[], slot: string): Record<string, string> {
  const env: Record<string, string> = {};
  for (const layer of layers) {
    for (const [name, value] of Object.entries(layer.env)) {
      if (name === 'PATH') env[name] = `${join(slot, value)}:${env[name] ?? process.env['PATH'] ?? ''}`;
      else env[name] = value;
    }
  }
  return env;
}

function inOrder(tasks: Task[]): Task[] {
  const done: Task[] = [];
  const visit = (task: Task): void => {
    if (done.includes(task)) return;
    for (const need of task.needs) {
      const needed = tasks.find((other) => other.id === need);
      if (needed) visit(needed);
    }
    if (!done.includes(task)) done.push(task);
  };
  for (const task of tasks) visit(task);
  return done;
}

function shell(command: string, cwd: string, env: Record<string, string>): Promise<{ exitCode: number; log: string }> {
  // Variables of the surrounding npm and mocha would change what is run.
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(npm_(?!config_)|NODE_OPTIONS$|NODE_V8_COVERAGE$|NODE_TEST_CONTEXT$|MOCHA)/.test(name),
  );
  return new Promise((resolve) => {
    const child = execFile(
      'sh',
      ['-c', `exec 2>&1; ${command}`],
      { cwd, env: { ...Object.fromEntries(inherited), ...env }, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout) => {
        resolve({ exitCode: error ? (typeof error.code === 'number' ? error.code : 1) : 0, log: stdout });
      },
    );
    child.stdin?.end();
  });
}

async function copyIfThere(from: string, to: string): Promise<void> {
  const there = await stat(from).catch(() => undefined);
  if (there) await cp(from, to, { recursive: true, verbatimSymlinks: true, force: true });
}

async function readAll(slot: string, path: string, files: Map<string, Buffer>): Promise<void> {
  const there = await stat(join(slot, path)).catch(() => undefined);
  if (!there) return;
  if (there.isFile()) files.set(path, await readFile(join(slot, path)));
  if (!there.isDirectory()) return;
  for (const entry of await readdir(join(slot, path), { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    if (entry.isFile()) files.set(relative(slot, file), await readFile(file));
  }
}

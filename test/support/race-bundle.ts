import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { atEndOfTests } from './hooks.ts';

let made: Promise<string> | undefined;

/** The path of a bundle of all workflows and those of race-workflow.ts. */
export function raceBundle(): Promise<string> {
  made ??= make();
  return made;
}

async function make(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'helix-race-'));
  atEndOfTests(() => rm(dir, { recursive: true, force: true }));
  const path = join(dir, 'workflows.js');
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(import.meta.dirname, 'race-workflow.ts'),
    logger: new DefaultLogger('ERROR'),
  });
  await writeFile(path, code);
  return path;
}

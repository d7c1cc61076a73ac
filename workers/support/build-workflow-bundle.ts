// Run as a program by workflow-bundle.ts: node build-workflow-bundle.ts OUTPUT
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

const { code } = await bundleWorkflowCode({
  workflowsPath: fileURLToPath(new URL('../../workflows/index.ts', import.meta.url)),
  logger: new DefaultLogger('ERROR'),
});
await writeFile(process.argv[2]!, code);

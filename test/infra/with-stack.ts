import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../../config/load.ts';
import type { Config } from '../../config/schema.ts';
import type { StackProcess } from '../../contracts/stack.ts';
import { anyFreePort } from '../../infra/embedded/ports.ts';
import { down, status, up } from '../../infra/embedded/stack.ts';
import type { StackState } from '../../infra/embedded/stack.ts';
import { withTempDir } from '../support/temp-dir.ts';

const helixEntry = fileURLToPath(new URL('fixtures/helix-process.mjs', import.meta.url));

export interface TestStack {
  config: Config;
  /** What `up` told, all calls together. */
  told: string[];
  up: () => Promise<StackState>;
  process: (name: StackProcess['name']) => Promise<StackProcess>;
}

/** A home of its own with a stack that is down yet, whose Helix process is a small stand-in. It is taken down afterwards. */
export async function withStack(use: (stack: TestStack) => Promise<void>, env: NodeJS.ProcessEnv = {}): Promise<void> {
  await withTempDir(async (dir) => {
    const config = await stackConfig(join(dir, 'home'), env);
    const told: string[] = [];
    try {
      await use({
        config,
        told,
        up: () => up(config, (line) => told.push(line), { helixEntry }),
        process: async (name) => (await status(config)).find((process) => process.name === name)!,
      });
    } finally {
      await down(config);
    }
  });
}

async function stackConfig(home: string, env: NodeJS.ProcessEnv): Promise<Config> {
  await mkdir(home, { recursive: true });
  const ports = {
    HELIX_API_PORT: String(await anyFreePort()),
    HELIX_PORTS_POSTGRES: String(await anyFreePort()),
    HELIX_PORTS_TEMPORAL: String(await anyFreePort()),
    HELIX_PORTS_TEMPORAL_UI: String(await anyFreePort()),
  };
  return loadConfig({ HOME: home, HELIX_HOME: home, ...ports, ...env });
}

import { randomBytes } from 'node:crypto';
import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HelixError } from '../../contracts/error.ts';
import type { LoginEnvironment } from './environment.ts';
import type { Layout } from './layout.ts';
import { runProgram } from './run-program.ts';

const written = 1 << 20;

/** Does in small what every step does. Throws `node.unsuitable`, or the system's error, with what does not work. */
export async function examineMachine({ root }: Layout, login: LoginEnvironment): Promise<void> {
  const file = join(root, `.examination-${process.pid}`);
  const content = randomBytes(written);
  try {
    const handle = await open(file, 'w');
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (!content.equals(await readFile(file))) {
      throw new HelixError('node.unsuitable', `what is written to ${root} cannot be read back`);
    }
  } finally {
    await rm(file, { force: true });
  }
  for (const [program, ...parameters] of [
    ['sh', '-c', 'exit 0'],
    ['git', '--version'],
  ] as const) {
    const { end, output } = await runProgram(program, [...parameters], login, 10_000);
    if (end !== 'succeeded') {
      throw new HelixError('node.unsuitable', `${program} does not run (${end}): ${output.trim().split('\n').at(-1)}`);
    }
  }
}

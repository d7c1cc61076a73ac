import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildsFor } from '../../../llm/providers/llamacpp/builds.ts';
import { ensureRuntime } from '../../../llm/providers/llamacpp/runtime.ts';
import { atEndOfTests } from '../../support/hooks.ts';

let home: Promise<string> | undefined;

/** A home into which llama.cpp for the processor was fetched from npm: once for all tests. */
export function llamaHome(): Promise<string> {
  home ??= fetchOnce();
  return home;
}

/** The build for the processor of this machine. */
export function cpuBuild() {
  const { platform, arch } = process;
  return buildsFor({ platform, arch, cuda: false, vulkan: false }, 'off').at(-1)!;
}

async function fetchOnce(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'helix-llama-'));
  atEndOfTests(() => rm(folder, { recursive: true, force: true }));
  await ensureRuntime(folder, cpuBuild(), () => undefined);
  return folder;
}

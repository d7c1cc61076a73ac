import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { Client } from 'ssh2';
import { HelixError } from '../../contracts/error.ts';
import type { AgentBundle } from '../agent/bundle.ts';
import { lastWords } from '../last-words.ts';
import { execSsh } from './exec.ts';
import { controllerPlatform, probeMachine, quote } from './machine.ts';
import { uploadBySftp } from './sftp-upload.ts';
import { type Machine, quoteWindows } from './windows-machine.ts';

/** The agent on the node. */
export interface InstalledAgent {
  /** Absolute. */
  root: string;
  /** What the SSH server is asked to run so that the agent starts with these words. */
  command(words: string[]): string;
}

const uploadTimeoutMs = 10 * 60_000;

/**
 * Makes a node ready to run the agent: finds Node 20 or later there or brings the controller's own, and brings the agent, each once
 * per content. `root` may begin with `~/`.
 * Throws `node.unsuitable`, `node.disk-full` or `node.unreachable`.
 */
export async function installAgent(
  client: Client,
  name: string,
  root: string,
  bundle: AgentBundle,
): Promise<InstalledAgent> {
  const machine = await probeMachine(client, name, root);
  if (machine.os === 'win32') return installOnWindows(client, name, machine, bundle);
  const agent = `${machine.root}/bin/agent-${bundle.hash}.mjs`;
  await upload(client, name, bundle.file, agent);
  const node = machine.node ?? (await bringNode(client, name, machine));
  return { root: machine.root, command: (words) => `exec ${[node, agent, ...words].map(quote).join(' ')}` };
}

async function installOnWindows(
  client: Client,
  name: string,
  machine: Machine,
  bundle: AgentBundle,
): Promise<InstalledAgent> {
  const { node, root, oldNode } = machine;
  if (node === undefined) {
    const found = oldNode ? `only Node ${oldNode}` : 'no Node';
    throw new HelixError('node.unsuitable', `${name} has ${found} on its PATH: install Node 20 or later there`);
  }
  const agent = `${root}\\bin\\agent-${bundle.hash}.mjs`;
  await uploadBySftp(client, name, bundle.file, agent);
  return { root, command: (words) => quoteWindows([node, agent, ...words], name) };
}

async function bringNode(client: Client, name: string, machine: Machine): Promise<string> {
  const here = controllerPlatform();
  const there = `${machine.os} ${machine.arch}${machine.libc ? ` ${machine.libc}` : ''}`;
  if (here !== there) {
    const found = machine.oldNode ? `only Node ${machine.oldNode}` : 'no Node';
    throw new HelixError(
      'node.unsuitable',
      `${name} has ${found} on its PATH, and being ${there} it cannot run the controller's own (${here}): install Node 20 or later there`,
    );
  }
  const hash = createHash('sha256');
  await pipeline(createReadStream(process.execPath), hash);
  const node = `${machine.root}/bin/node-${hash.digest('hex').slice(0, 16)}`;
  await upload(client, name, process.execPath, node);
  const run = await execSsh(client, shell(`${quote(node)} --version`), '', 20_000);
  if (run.exitCode !== 0) {
    throw new HelixError(
      'node.unsuitable',
      `${name} cannot run the Node that was brought to ${node} (${lastWords(run.stderr) || `exit code ${run.exitCode}`}): install Node 20 or later there`,
    );
  }
  return node;
}

/** Puts a file there unless it is; seen by others only when complete. */
async function upload(client: Client, name: string, file: string, target: string): Promise<void> {
  const { size } = await stat(file);
  const present = await execSsh(client, shell(`test -s ${quote(target)}`), '', 20_000);
  if (present.exitCode === 0) return;
  const temporary = quote(`${target}.${process.pid}.${Date.now()}`);
  const script = [
    `cat > ${temporary}`,
    // A lost connection ends the input early without an error.
    `test "$(wc -c < ${temporary})" -eq ${size}`,
    `chmod 755 ${temporary}`,
    `mv -f ${temporary} ${quote(target)}`,
  ].join(' && ');
  const { exitCode, stderr } = await execSsh(
    client,
    shell(`LC_ALL=C; export LC_ALL; { ${script}; } || { rm -f ${temporary}; exit 1; }`),
    createReadStream(file),
    uploadTimeoutMs,
  );
  if (exitCode === 0) return;
  const reason = lastWords(stderr) || 'the transfer was cut short';
  if (/No space left|quota/i.test(reason)) {
    throw new HelixError(
      'node.disk-full',
      `the disk of ${name} is full (${target}): free some space there and try again`,
    );
  }
  throw new HelixError(
    'node.unsuitable',
    `${target} could not be written on ${name} (${reason}): choose a folder that can be written with --root`,
  );
}

/** The login shell may be any; what it is given is one program with plain words. */
function shell(script: string): string {
  return `/bin/sh -c ${quote(script)}`;
}

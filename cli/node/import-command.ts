import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { HelixError } from '../../contracts/error.ts';
import { connect, type GlobalOptions } from '../connect.ts';
import { printJson } from '../output.ts';
import { cleanLine } from '../text/clean.ts';
import type { HostKeyOptions } from './candidate.ts';
import type { Found } from './found.ts';
import { type ImportResult, registerAll } from './register-all.ts';
import { collect } from '../collect.ts';
import { parseLabels } from './registration.ts';
import { warnOfSharedMachines } from './shared-machines.ts';

interface ImportOptions extends GlobalOptions, HostKeyOptions {
  /** True when the option is given without a file. */
  sshConfig?: string | true;
  ansible?: string;
  jsonFile?: string;
  dryRun?: boolean;
  json?: boolean;
  label: string[];
}

export function addImportCommand(command: Command): void {
  command
    .command('import')
    .description('add the machines that a file lists')
    .argument('[pattern...]', 'with --ssh-config, only hosts that match one of these')
    .option('--ssh-config [file]', 'an ssh_config file (default: ~/.ssh/config)')
    .option('--ansible <file>', 'an Ansible inventory, INI or YAML; groups become labels')
    .option('--json-file <file>', 'a JSON list, [{"name": ..., "host": ..., ...}]')
    .option('--known-hosts <file>', 'trust the host keys in this file (default: ~/.ssh/known_hosts)')
    .option('--accept-new', 'trust the host keys seen on this first connection')
    .option('--label <name=value>', 'a label for all of them; may be given several times', collect, [])
    .option('--dry-run', 'only show what would be registered')
    .action(async (patterns: string[], _options: unknown, self: Command) => {
      await importNodes(patterns, self.optsWithGlobals<ImportOptions>());
    });
}

async function importNodes(patterns: string[], options: ImportOptions): Promise<void> {
  const { dryRun, json, knownHosts, acceptNew } = options;
  if (knownHosts !== undefined && acceptNew) {
    throw new HelixError('usage.invalid', 'give only one of --known-hosts and --accept-new');
  }
  const labels = parseLabels(options.label);
  const found = await read(patterns, options);
  found.candidates = found.candidates.map((one) => ({ ...one, labels: { ...one.labels, ...labels } }));
  for (const notice of found.notices) process.stderr.write(`note: ${cleanLine(notice)}\n`);
  const client = dryRun ? undefined : await connect(options);
  const results = await registerAll(found, options, client, (result) => {
    if (!json) process.stdout.write(`${describe(result)}\n`);
  });
  if (json) printJson(results);
  if (client) warnOfSharedMachines(await client.listNodes(), results.flatMap(({ node }) => node?.name ?? [])); // prettier-ignore
  const failed = results.filter(({ reason }) => reason !== undefined).length;
  if (failed === 0) return;
  process.stderr.write(`${failed} of ${results.length} machines are not registered\n`);
  process.exitCode = 1;
}

async function read(patterns: string[], { sshConfig, ansible, jsonFile }: ImportOptions): Promise<Found> {
  const given = [sshConfig, ansible, jsonFile].filter((value) => value !== undefined);
  if (given.length !== 1) {
    throw new HelixError('usage.invalid', 'say what to import: one of --ssh-config, --ansible and --json-file');
  }
  if (sshConfig !== undefined) {
    const { importSshConfig } = await import('./import-ssh-config.ts');
    // "--ssh-config web*" means hosts of the usual file, and no file of that name.
    if (sshConfig === true) return importSshConfig(undefined, patterns);
    if (existsSync(sshConfig)) return importSshConfig(sshConfig, patterns);
    if (/[/\\]/.test(sshConfig)) throw new HelixError('usage.invalid', `there is no file ${sshConfig}`);
    return importSshConfig(undefined, [sshConfig, ...patterns]);
  }
  if (patterns.length > 0) throw new HelixError('usage.invalid', 'patterns go with --ssh-config');
  if (ansible !== undefined) return (await import('./import-ansible.ts')).importAnsible(ansible);
  return (await import('./import-json.ts')).importJson(jsonFile!);
}

function describe({ name, node, registration, reason }: ImportResult): string {
  if (reason !== undefined) return `${name}: not registered: ${cleanLine(reason)}`;
  if (node) return `${node.name}: registered (${node.facts.os}-${node.facts.arch}, ${node.slots} slots)`;
  const { ssh, hostKey, labels } = registration!;
  const address = (one: { user: string; host: string; port: number }): string => `${one.user}@${one.host}:${one.port}`;
  const parts = [
    address(ssh),
    ...(ssh.jumps ?? []).map((jump) => `through ${address(jump)}`),
    ...(ssh.keyFile ? [`key ${ssh.keyFile}`] : []),
    ...(hostKey.kind === 'accept-new' ? ['accepting its host key'] : []),
    ...Object.entries(labels).map(([label, value]) => `${label}=${value}`),
  ];
  return `${name}: ${cleanLine(parts.join(', '))}`;
}

import type { Command } from 'commander';
import type { ClassView } from '../../contracts/capability-class.ts';
import { connect, type GlobalOptions } from '../connect.ts';
import { printJson } from '../output.ts';
import { cleanLine } from '../text/clean.ts';
import { styledStatus } from '../text/style.ts';
import { table } from '../text/table.ts';

export function configure(command: Command): void {
  command
    .argument('[class]', 'explain this one, asked for or not, e.g. "linux && memory>=8GiB"')
    .option('--json', 'print them as JSON')
    .addHelpText(
      'after',
      `
A class says what a node must have, as atoms joined by &&:
  linux, x64, debian, docker, go      operating system, architecture, distribution, a program
  go>=1.24, node<25, glibc>=2.31      a version: >= > <= < or, for all versions that begin so, =
  memory>=8GiB, disk>=20GiB, cpus>=8  what the machine has; disk is what is free
  gpu, gpu>=2, gpu=nvidia, gpu.memory>=16GiB
  libc=musl, rack=b                   the C library, a label
  !gpu                                not there`,
    )
    .action(async (text: string | undefined, _options: unknown, self: Command) => {
      const options = self.optsWithGlobals<GlobalOptions & { json?: boolean }>();
      const client = await connect(options);
      if (text === undefined) {
        const classes = await client.listClasses();
        if (options.json) printJson(classes);
        else process.stdout.write(listClasses(classes));
        return;
      }
      const view = await client.getClass(text);
      if (options.json) printJson(view);
      else process.stdout.write(explainClass(view));
    });
}

function listClasses(classes: readonly ClassView[]): string {
  if (classes.length === 0) return 'no step has asked for a class yet: "helix classes CLASS" explains any\n';
  return table(
    ['CLASS', 'SERVED BY', 'NOT BY'],
    classes.map(({ class: name, serving, others }) => [
      name,
      some(
        serving.map(({ node, state }) => (state === 'healthy' ? node : `${node} (${state})`)),
        ', ',
      ) || 'nobody',
      some(
        others.map(({ node, lacks }) => `${node}: ${lacks.map(cleanLine).join(', ')}`),
        '; ',
      ) || '-',
    ]),
  );
}

/** A line of the table has room for a few. */
function some(texts: readonly string[], separator: string): string {
  const more = texts.length > 4 ? [`${texts.length - 3} more`] : [];
  return [...texts.slice(0, more.length > 0 ? 3 : 4), ...more].join(separator);
}

function explainClass({ class: name, asked, serving, others }: ClassView): string {
  const served = serving.map(
    ({ node, state, reason }) => `  ${node}: ${styledStatus(state)}${reason ? ` (${cleanLine(reason)})` : ''}\n`,
  );
  const lacking = others.map(({ node, lacks }) => `  ${node} lacks ${lacks.map(cleanLine).join(' and ')}\n`);
  const lines = [
    `${name}${asked ? '' : ' (no step has asked for it yet)'}\n`,
    serving.length > 0 ? `served by\n${served.join('')}` : 'served by nobody\n',
    others.length > 0 ? `not served by\n${lacking.join('')}` : '',
  ];
  return lines.join('');
}

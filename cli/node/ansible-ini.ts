import { HelixError } from '../../contracts/error.ts';
import { expandHostRange } from './host-range.ts';
import { Inventory } from './inventory.ts';
import { shellWords } from './shell-words.ts';

/** Reads an inventory in INI form. Throws `usage.invalid` with the line. */
export function readIniInventory(text: string): Inventory {
  const inventory = new Inventory();
  let group = 'ungrouped';
  let kind = 'hosts';
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue;
    const wrong = (what: string) => new HelixError('usage.invalid', `line ${index + 1}: ${what}`);
    const section = /^\[([^:\]\s]+)(?::(\w+))?\]\s*(?:[#;].*)?$/.exec(line);
    if (section) {
      [, group = '', kind = 'hosts'] = section;
      if (!['hosts', 'children', 'vars'].includes(kind)) throw wrong(`there are no sections ":${kind}"`);
      inventory.group(group);
    } else if (kind === 'children') {
      inventory.group(group).children.add(withoutComment(line));
      inventory.group(withoutComment(line));
    } else if (kind === 'vars') {
      const [, name, value] = /^([^=\s]+)\s*=\s*(.*)$/.exec(line) ?? [];
      if (name === undefined || value === undefined) throw wrong(`"${line}" is no variable: write NAME=VALUE`);
      inventory.group(group).vars[name] = unquote(value);
    } else addHosts(inventory, group, line, wrong);
  }
  return inventory;
}

function addHosts(inventory: Inventory, group: string, line: string, wrong: (what: string) => HelixError): void {
  const words = shellWords(line);
  if (!words) throw wrong('a quote is not closed');
  const comment = words.findIndex((word) => word.startsWith('#'));
  const [pattern, ...assignments] = comment < 0 ? words : words.slice(0, comment);
  if (pattern === undefined) return;
  const vars = Object.fromEntries(
    assignments.map((assignment) => {
      const [, name, value] = /^([^=]+)=(.*)$/.exec(assignment) ?? [];
      if (name === undefined || value === undefined) throw wrong(`"${assignment}" is no variable: write NAME=VALUE`);
      return [name, value];
    }),
  );
  const [, name = pattern, port] = /^([^:]*(?:\[[^\]]*\][^:[\]]*)*):(\d+)$/.exec(pattern) ?? [];
  try {
    for (const host of expandHostRange(name)) {
      inventory.addHost(group, host, { ...(port === undefined ? {} : { ansible_port: port }), ...vars });
    }
  } catch (error) {
    throw wrong((error as Error).message);
  }
}

function withoutComment(line: string): string {
  return line.replace(/\s+#.*$/, '');
}

function unquote(value: string): string {
  return /^(["']).*\1$/.test(value) ? value.slice(1, -1) : value;
}

import { parse } from 'yaml';
import { z } from 'zod';
import { HelixError } from '../../contracts/error.ts';
import { expandHostRange } from './host-range.ts';
import { Inventory } from './inventory.ts';

const varsSchema = z.record(z.string(), z.unknown()).nullish();
const groupSchema = z
  .object({
    hosts: z.record(z.string(), varsSchema).nullish(),
    vars: varsSchema,
    children: z.record(z.string(), z.unknown()).nullish(),
  })
  .loose();
type GroupText = z.infer<typeof groupSchema>;
const groupsSchema = z.record(z.string(), groupSchema.nullish());

/** Reads an inventory in YAML form. Throws `usage.invalid`. */
export function readYamlInventory(text: string): Inventory {
  const inventory = new Inventory();
  try {
    addGroups(inventory, parse(text));
  } catch (error) {
    const what = error instanceof z.ZodError ? z.prettifyError(error).replaceAll('\n', ' ') : (error as Error).message;
    throw new HelixError('usage.invalid', `it is no inventory: ${what}`);
  }
  return inventory;
}

function addGroups(inventory: Inventory, text: unknown): void {
  for (const [name, group] of Object.entries(groupsSchema.parse(text))) addGroup(inventory, name, group);
}

function addGroup(inventory: Inventory, name: string, text: GroupText | null | undefined): void {
  const group = inventory.group(name);
  Object.assign(group.vars, texts(text?.vars));
  for (const [pattern, vars] of Object.entries(text?.hosts ?? {})) {
    for (const host of expandHostRange(pattern)) inventory.addHost(name, host, texts(vars));
  }
  for (const child of Object.keys(text?.children ?? {})) group.children.add(child);
  addGroups(inventory, text?.children ?? {});
}

/** Variables that matter here are words and numbers. */
function texts(vars: Record<string, unknown> | null | undefined): Record<string, string> {
  const entries = Object.entries(vars ?? {}).filter(([, value]) => ['string', 'number'].includes(typeof value));
  return Object.fromEntries(entries.map(([name, value]) => [name, String(value as string | number)]));
}

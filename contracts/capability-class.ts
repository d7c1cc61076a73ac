import { z } from 'zod';
import { canonicalSize, parseSize } from './size.ts';

/**
 * A capability class is a predicate over what a node was detected to have: atoms joined by `&&`.
 *
 *     linux && x64                operating system and architecture
 *     node>=22 && git             a program, optionally with a version: >= > <= < or =
 *     memory>=8GiB && cpus>=8     also disk>=20GiB, gpu>=2, gpu.memory>=16GiB
 *     docker, gpu, gpu=nvidia     present or not
 *     debian>=12, glibc>=2.31, libc=musl, linux>=5.10
 *     rack=b                      a label set by the user
 *     !gpu                        not there
 *     any                         every node
 *
 * The canonical text (atoms sorted, doubles removed, one space around `&&`, one spelling of each size and version) names the task
 * queue `class:<text>`.
 */
export interface ClassAtom {
  name: string;
  /** Only ever of a name alone. */
  negated?: true;
  operator?: ClassOperator;
  /** In its canonical spelling. */
  value?: string;
  /** The value of what is counted or measured: a number, or bytes. */
  amount?: number;
}

export type ClassOperator = '>=' | '>' | '<=' | '<' | '=';

const atomPattern = /^(!)?\s*([A-Za-z][A-Za-z0-9_.+-]*)(?:\s*(>=|<=|=|>|<)\s*([A-Za-z0-9_.:+-]+))?$/;

/** What is compared with a size, and what with a number; everything else that is compared has a version. */
const measured = new Set(['memory', 'disk', 'gpu.memory']);
const counted = new Set(['cpus']);

/** Parses a class. Throws a TypeError that names the atom which is none, and what is allowed there. */
export function parseCapabilityClass(text: string): ClassAtom[] {
  return text.split('&&').map((part) => parseAtom(part.trim()));
}

function parseAtom(text: string): ClassAtom {
  const [whole, negation, name = '', operator, value = ''] = atomPattern.exec(text) ?? [];
  if (whole === undefined) {
    throw new TypeError(
      `"${text}" is no capability: write NAME, !NAME, NAME>=VERSION (or > <= < =), memory>=8GiB or LABEL=VALUE, joined by " && " (for example "linux && node>=22")`,
    );
  }
  if (operator === undefined) return bareAtom(text, name, negation !== undefined);
  if (negation !== undefined) {
    throw new TypeError(`"${text}" is no capability: only a name alone can be negated, as in !gpu`);
  }
  return comparison(text, name, operator as ClassOperator, value);
}

function bareAtom(text: string, name: string, negated: boolean): ClassAtom {
  if (measured.has(name)) throw new TypeError(`"${text}" is no capability: say how much, as in ${name}>=8GiB`);
  if (counted.has(name)) throw new TypeError(`"${text}" is no capability: say how many, as in ${name}>=4`);
  if (!negated) return { name };
  if (name === 'any') throw new TypeError('"!any" is no capability: no node could serve it');
  return { name, negated: true };
}

function comparison(text: string, name: string, operator: ClassOperator, value: string): ClassAtom {
  const compared = operator !== '=';
  if (measured.has(name)) {
    const amount = parseSize(value);
    if (amount !== undefined) return { name, operator, value: canonicalSize(amount), amount };
    throw new TypeError(`"${text}" is no capability: ${name} is compared with a size such as 8GiB, 512MiB or 16GB`);
  }
  if (counted.has(name) || (name === 'gpu' && compared)) {
    if (/^\d{1,6}$/.test(value)) return { name, operator, value: String(Number(value)), amount: Number(value) };
    throw new TypeError(`"${text}" is no capability: ${name} is compared with a whole number, as in ${name}>=2`);
  }
  if (!compared) return { name, operator, value };
  if (parseSize(value) !== undefined) {
    const names = [...measured].join(', ');
    throw new TypeError(`"${text}" is no capability: only ${names} have a size, and ${name} has a version`);
  }
  if (!/^\d/.test(value)) {
    throw new TypeError(`"${text}" is no capability: a version begins with a digit, as in ${name}${operator}1.2`);
  }
  // 22, 22.0 and 22.0.0 compare the same; as a prefix with "=" they do not.
  return { name, operator, value: value.replace(/(\.0+)+$/, '') };
}

/** The text of one atom. */
export function formatAtom({ name, negated, operator, value }: ClassAtom): string {
  return `${negated ? '!' : ''}${name}${operator ?? ''}${value ?? ''}`;
}

/** The canonical text of a class; `any` disappears beside other atoms. */
export function canonicalCapabilityClass(text: string): string {
  const unique = [...new Set(parseCapabilityClass(text).map(formatAtom))].sort();
  const needed = unique.length > 1 ? unique.filter((atom) => atom !== 'any') : unique;
  return needed.join(' && ');
}

/** The class that asks for everything that any of the given classes asks for. */
export function combineCapabilityClasses(...classes: (string | undefined)[]): string {
  const given = classes.filter((text) => text !== undefined && text !== '');
  return given.length === 0 ? 'any' : canonicalCapabilityClass(given.join(' && '));
}

export const capabilityClassSchema = z.string().transform((text, context) => {
  try {
    return canonicalCapabilityClass(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
    return z.NEVER;
  }
});

/** Who serves a class, and why the other nodes do not. */
export const classViewSchema = z.object({
  /** Canonical text. */
  class: z.string(),
  /** Whether a step has ever asked for it. */
  asked: z.boolean(),
  serving: z.array(z.object({ node: z.string(), state: z.string(), reason: z.string().optional() })),
  others: z.array(z.object({ node: z.string(), lacks: z.array(z.string()) })),
});
export type ClassView = z.infer<typeof classViewSchema>;
export const classListSchema = z.object({ classes: z.array(classViewSchema) });

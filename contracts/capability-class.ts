import { z } from 'zod';

/**
 * A capability class is a predicate over what a node was detected to have: atoms joined by `&&`.
 *
 *     linux && x64          operating system and architecture
 *     node>=22 && git       a program, optionally with a least version
 *     docker, gpu           present or not
 *     rack=b                a label set by the user
 *     any                   every node
 *
 * The canonical text (atoms sorted, doubles removed, one space around `&&`) names the task queue `class:<text>`.
 */
export interface ClassAtom {
  name: string;
  operator?: '>=' | '=';
  value?: string;
}

const atomPattern = /^([A-Za-z][A-Za-z0-9_.-]*)(?:(>=|=)([A-Za-z0-9_.:-]+))?$/;

/** Parses a class. Throws a TypeError that names the atom which is no atom. */
export function parseCapabilityClass(text: string): ClassAtom[] {
  return text.split('&&').map((part) => {
    const match = atomPattern.exec(part.trim());
    if (!match) {
      throw new TypeError(
        `"${part.trim()}" is no capability: write NAME, NAME>=VERSION or LABEL=VALUE, joined by " && " (for example "linux && node>=22")`,
      );
    }
    const [, name, operator, value] = match;
    return operator ? { name: name!, operator: operator as '>=' | '=', value: value! } : { name: name! };
  });
}

/** The canonical text of a class; `any` disappears beside other atoms. */
export function canonicalCapabilityClass(text: string): string {
  const atoms = parseCapabilityClass(text).map((atom) => `${atom.name}${atom.operator ?? ''}${atom.value ?? ''}`);
  const unique = [...new Set(atoms)].sort();
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

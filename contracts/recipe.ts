import { z } from 'zod';

/** Named refactorings of TypeScript and JavaScript. Paths are workspace-relative. */
export const recipeSchema = z.discriminatedUnion('name', [
  /** Renames a declaration and every reference to it. `file` may be left out when the symbol is declared once. */
  z.object({
    name: z.literal('rename-symbol'),
    symbol: z.string().min(1),
    to: z.string().min(1),
    file: z.string().optional(),
  }),
  z.object({ name: z.literal('move-file'), from: z.string().min(1), to: z.string().min(1) }),
  /** Moves an exported top-level declaration from one file to another (made if need be) and mends the imports. */
  z.object({
    name: z.literal('move-symbol'),
    symbol: z.string().min(1),
    from: z.string().min(1),
    to: z.string().min(1),
  }),
  /** Sorts imports, removes unused ones; `path` restricts it to a file or folder. */
  z.object({ name: z.literal('organise-imports'), path: z.string().optional() }),
]);
export type Recipe = z.infer<typeof recipeSchema>;

/** How each recipe is written on a command line, `NAME:ARGS`. */
export const recipeUsage: Record<Recipe['name'], string> = {
  'rename-symbol': 'rename-symbol:[FILE#]OLD=NEW',
  'move-file': 'move-file:FROM=TO',
  'move-symbol': 'move-symbol:FILE#NAME=FILE',
  'organise-imports': 'organise-imports[:PATH]',
};

/** Reads `NAME:ARGS`. Throws a TypeError that says what is allowed. */
export function parseRecipe(text: string): Recipe {
  const colon = text.indexOf(':');
  const name = colon < 0 ? text : text.slice(0, colon);
  const args = colon < 0 ? '' : text.slice(colon + 1);
  const usage = Object.hasOwn(recipeUsage, name) ? recipeUsage[name as Recipe['name']] : undefined;
  if (usage === undefined) {
    throw new TypeError(`unknown recipe "${name}": the recipes are ${Object.values(recipeUsage).join(', ')}`);
  }
  const recipe = readers[name as Recipe['name']](args);
  if (!recipe) throw new TypeError(`recipe "${text}" does not fit: write ${usage}`);
  return recipe;
}

const readers: Record<Recipe['name'], (args: string) => Recipe | undefined> = {
  'rename-symbol': (args) => {
    const match = /^(?:(.+)#)?([^#=]+)=([^#=]+)$/.exec(args);
    if (!match) return undefined;
    const [, file, symbol, to] = match;
    return { name: 'rename-symbol', symbol: symbol!, to: to!, ...(file ? { file } : {}) };
  },
  'move-file': (args) => {
    const match = /^([^=]+)=([^=]+)$/.exec(args);
    return match ? { name: 'move-file', from: match[1]!, to: match[2]! } : undefined;
  },
  'move-symbol': (args) => {
    const match = /^([^=#]+)#([^=#]+)=([^=#]+)$/.exec(args);
    return match ? { name: 'move-symbol', from: match[1]!, symbol: match[2]!, to: match[3]! } : undefined;
  },
  'organise-imports': (args) => ({ name: 'organise-imports', ...(args ? { path: args } : {}) }),
};

import { fileURLToPath } from 'node:url';
import type { Recipe } from '../../contracts/recipe.ts';

/** The command of a step that applies `recipe` to the workspace it runs in; for nodes that are the controller's own machine. */
export function recipeCommand(recipe: Recipe): { shell: string } {
  const program = fileURLToPath(new URL('./main.ts', import.meta.url));
  return { shell: [process.execPath, program, JSON.stringify(recipe)].map(quote).join(' ') };
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

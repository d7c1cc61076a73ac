import { recipeSchema } from '../../contracts/recipe.ts';
import { HelixError } from '../../contracts/error.ts';
import { applyRecipe } from './apply.ts';

/**
 * `node main.ts RECIPE_AS_JSON` in the root of a workspace. Prints {"changed":[…],"summary":"…"} on one line.
 * Exit codes: 0 applied (also when there was nothing to change), 2 not a recipe, 3 the recipe does not apply; nothing is written then.
 */
async function main(argument: string | undefined): Promise<number> {
  let recipe;
  try {
    recipe = recipeSchema.parse(JSON.parse(argument ?? ''));
  } catch (error) {
    process.stderr.write(`the argument is not a recipe in JSON: ${(error as Error).message}\n`);
    return 2;
  }
  try {
    process.stdout.write(`${JSON.stringify(await applyRecipe(process.cwd(), recipe))}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof HelixError && error.code === 'recipe.not-applicable')) throw error;
    process.stderr.write(`${error.message}\n`);
    return 3;
  }
}

// Files are written synchronously in one go. With a handler a signal waits for the end of that; without one it would cut it in two.
for (const [signal, number] of [
  ['SIGTERM', 15],
  ['SIGINT', 2],
  ['SIGHUP', 1],
] as const) {
  process.on(signal, () => process.exit(128 + number));
}

process.exitCode = await main(process.argv[2]);

import type { Recipe } from '../../contracts/recipe.ts';
import { moveFile } from './move-file.ts';
import { moveSymbol } from './move-symbol.ts';
import { organiseImports } from './organise-imports.ts';
import { renameSymbol } from './rename-symbol.ts';
import { Workspace } from './workspace.ts';
import { writeChanges } from './write-changes.ts';

/**
 * Applies a recipe to the files below `root`: all of it or, when it fails, nothing.
 * `changed` lists workspace-relative paths (of a moved file both the old and the new one), sorted; it is empty when there
 * was nothing to change. Throws a HelixError `recipe.not-applicable` that says why.
 */
export async function applyRecipe(root: string, recipe: Recipe): Promise<{ changed: string[]; summary: string }> {
  const workspace = await Workspace.open(root);
  const change = plan(workspace, recipe);
  return { changed: await writeChanges(workspace, change.files), summary: change.summary };
}

function plan(workspace: Workspace, recipe: Recipe) {
  switch (recipe.name) {
    case 'rename-symbol':
      return renameSymbol(workspace, recipe);
    case 'move-file':
      return moveFile(workspace, recipe);
    case 'move-symbol':
      return moveSymbol(workspace, recipe);
    case 'organise-imports':
      return organiseImports(workspace, recipe);
  }
}

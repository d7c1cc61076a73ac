import assert from 'node:assert/strict';
import { parseRecipe } from '../../contracts/recipe.ts';

describe('recipes on the command line', () => {
  it('name a symbol with or without its file', () => {
    assert.deepEqual(parseRecipe('rename-symbol:fetchUser=loadUser'), {
      name: 'rename-symbol',
      symbol: 'fetchUser',
      to: 'loadUser',
    });
    assert.deepEqual(parseRecipe('rename-symbol:src/a.ts#x=y'), {
      name: 'rename-symbol',
      symbol: 'x',
      to: 'y',
      file: 'src/a.ts',
    });
  });

  it('move files and symbols', () => {
    assert.deepEqual(parseRecipe('move-file:src/a.ts=src/b/a.ts'), {
      name: 'move-file',
      from: 'src/a.ts',
      to: 'src/b/a.ts',
    });
    assert.deepEqual(parseRecipe('move-symbol:src/a.ts#f=src/b.ts'), {
      name: 'move-symbol',
      symbol: 'f',
      from: 'src/a.ts',
      to: 'src/b.ts',
    });
  });

  it('organise imports everywhere or below a path', () => {
    assert.deepEqual(parseRecipe('organise-imports'), { name: 'organise-imports' });
    assert.deepEqual(parseRecipe('organise-imports:src'), { name: 'organise-imports', path: 'src' });
  });

  it('are refused with the recipes there are, or the form of the one that was meant', () => {
    assert.throws(() => parseRecipe('reformat:src'), /unknown recipe "reformat".*rename-symbol:.*organise-imports/s);
    assert.throws(() => parseRecipe('rename-symbol:only'), /write rename-symbol:\[FILE#\]OLD=NEW/);
    assert.throws(() => parseRecipe('constructor:x'), /unknown recipe/);
  });
});

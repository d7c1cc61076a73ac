import { HelixError } from '../contracts/error.ts';
import type { TreeNames } from './tree-names.ts';

const reserved = /^(con|prn|aux|nul|com[1-9¹²³]|lpt[1-9¹²³])\s*(\.|$)/i;

/** Throws `usage.invalid` naming a file of the snapshot that a folder of Windows cannot hold, before anything of it is laid there. */
export function refuseForWindows(id: string, { files, folders }: TreeNames): void {
  const seen = new Map<string, string>();
  for (const path of [...folders, ...files.keys()]) {
    const same = seen.get(path.toLowerCase());
    if (same !== undefined)
      refuse(id, `both ${JSON.stringify(same)} and ${JSON.stringify(path)}, which are one name there`);
    seen.set(path.toLowerCase(), path);
    const name = path.slice(path.lastIndexOf('/') + 1);
    // eslint-disable-next-line no-control-regex
    if (!name.isWellFormed() || /[<>:"\\|?*\0-\x1f]|[. ]$/.test(name) || reserved.test(name))
      refuse(id, `${JSON.stringify(path)}, which is no name there`);
  }
}

function refuse(id: string, what: string): never {
  throw new HelixError(
    'usage.invalid',
    `snapshot ${id} cannot be laid on a machine with Windows: it has ${what}; give such steps a class without Windows, e.g. linux`,
  );
}

import { lstatSync, readFileSync, realpathSync } from 'node:fs';
import { join, posix, sep } from 'node:path';
import { notApplicable } from './change.ts';
import { isSource, joinInside, sourceExtensions } from './paths.ts';
import { outputFolders } from './tsconfig.ts';
import { listFiles } from './workspace-files.ts';

const byteOrderMark = '\uFEFF';
const neverTouched = new Set(['node_modules', 'dist', '.git']);

/** The sources and manifests of a workspace, read on demand; optionally with changes that are not written yet laid over them. */
export class Workspace {
  readonly root: string;
  readonly #paths: Set<string>;
  readonly #texts = new Map<string, string | undefined>();
  readonly #marked = new Set<string>();

  private constructor(root: string, paths: Set<string>) {
    this.root = root;
    this.#paths = paths;
  }

  /** Throws a HelixError when `root` is no folder. Files that git ignores, and node_modules and compiled output, are not part of it. */
  static async open(root: string): Promise<Workspace> {
    if (!lstatSync(root, { throwIfNoEntry: false }))
      throw notApplicable(`${root} is not there: give the root of a workspace.`);
    const realRoot = realpathSync(root);
    const patterns = [...sourceExtensions.map((extension) => `*${extension}`), '*.json'];
    const listed = (await listFiles(realRoot, patterns)).filter(
      (path) => !path.split('/').some((part) => neverTouched.has(part)),
    );
    const workspace = new Workspace(realRoot, new Set(listed.sort()));
    const outputs = outputFolders(workspace);
    for (const path of listed)
      if (outputs.some((folder) => path.startsWith(`${folder}/`))) workspace.#paths.delete(path);
    return workspace;
  }

  /** All paths, sorted. */
  get paths(): string[] {
    return [...this.#paths];
  }

  get sources(): string[] {
    return this.paths.filter(isSource);
  }

  has(path: string): boolean {
    return this.#paths.has(path);
  }

  /** Text without a byte order mark; undefined when there is no such file or it is not UTF-8. */
  read(path: string): string | undefined {
    if (!this.#texts.has(path)) this.#texts.set(path, this.#load(path));
    return this.#texts.get(path);
  }

  /** What has to be written for `text` to become the content of `path`: a byte order mark stays where there was one. */
  encode(path: string, text: string): Buffer {
    return Buffer.from(this.#marked.has(path) ? byteOrderMark + text : text, 'utf8');
  }

  /** The same workspace as if `files` had been written; null is a removed file. */
  with(files: Map<string, string | null>): Workspace {
    const overlay = new Workspace(this.root, new Set(this.#paths));
    for (const [path, text] of this.#texts) overlay.#texts.set(path, text);
    for (const [path, text] of files) {
      overlay.#texts.set(path, text ?? undefined);
      if (text === null) overlay.#paths.delete(path);
      else overlay.#paths.add(path);
    }
    return overlay;
  }

  /** Where `path` is on this machine. Throws a HelixError when the way there leads through a symlink or a file. */
  locate(path: string): string {
    let current = this.root;
    const parts = path.split('/');
    for (const [index, part] of parts.entries()) {
      current = join(current, part);
      const entry = lstatSync(current, { throwIfNoEntry: false });
      const name = parts.slice(0, index + 1).join('/');
      if (entry?.isSymbolicLink())
        throw notApplicable(`${path} leads through the symbolic link ${name}: name the real file.`);
      if (entry && !entry.isDirectory() && index < parts.length - 1)
        throw notApplicable(`${name} is a file, so ${path} cannot be below it.`);
    }
    return current;
  }

  /** A path as a recipe gives it, in the form used here. Throws a HelixError when it is outside the workspace. */
  normalise(path: string): string {
    const normal = joinInside(path.split(sep).join(posix.sep));
    if (normal === undefined || normal.includes('\0')) {
      throw notApplicable(`${path} is outside the workspace: give a path relative to its root.`);
    }
    const inside = normal.replace(/\/$/, '');
    const forbidden = inside.split('/').find((part) => neverTouched.has(part));
    if (forbidden) throw notApplicable(`${path} is in a ${forbidden} folder, which recipes leave alone.`);
    return inside;
  }

  #load(path: string): string | undefined {
    if (!this.#paths.has(path)) return undefined;
    try {
      const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
        readFileSync(join(this.root, path)),
      );
      if (!text.startsWith(byteOrderMark)) return text;
      this.#marked.add(path);
      return text.slice(1);
    } catch {
      return undefined;
    }
  }
}

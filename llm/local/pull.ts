import { constants } from 'node:fs';
import { copyFile, mkdir, readdir, rename, rm, statfs } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { HelixError } from '../../contracts/error.ts';
import type { LocalFile, LocalModel } from '../../contracts/local-model.ts';
import { download, type DownloadOptions, partName, sha256Of, sizeOf } from './download.ts';
import { exclusively } from './exclusive.ts';
import { readGguf } from './gguf.ts';
import type { HubFile, ModelHub } from './hub.ts';
import { quantizationOf } from './quantization.ts';
import type { ModelSource } from './source.ts';
import { filesOfSplit, modelNameOfFile } from './split.ts';
import type { ModelStore } from './store.ts';

/** Left free on the disk of the home. */
const spareBytes = 512 * 2 ** 20;

/** Brings a model into the store: from the hub, or a copy of a file. What is there already and whole is not fetched again. */
export class Puller {
  readonly #store: ModelStore;
  readonly #hub: ModelHub;

  constructor(store: ModelStore, hub: ModelHub) {
    this.#store = store;
    this.#hub = hub;
  }

  /** Throws what the hub and the download throw, `usage.invalid` for what is no GGUF, and `node.disk-full`. */
  async pull(source: Exclude<ModelSource, { kind: 'ollama' }>, options: DownloadOptions): Promise<LocalModel> {
    return source.kind === 'file' ? this.#copy(source.path, options) : this.#fetch(source, options);
  }

  async #fetch(source: Extract<ModelSource, { kind: 'hub' }>, options: DownloadOptions): Promise<LocalModel> {
    const { repository, revision } = source;
    const { signal, onProgress } = options;
    onProgress({ what: `looking up ${repository}` });
    const paths = await this.#hub.find(repository, revision, source, signal);
    const files: HubFile[] = [];
    // All of one commit: a repository may change while it is downloaded.
    for (const path of paths)
      files.push(await this.#hub.locate(repository, files[0]?.commit ?? revision, path, signal));
    const origin = isAbsolute(repository)
      ? `file:${join(repository, paths[0]!)}`
      : `hub:${repository}/${paths[0]!}@${files[0]!.commit}`;
    const named = files.map((file) => ({ file: basename(file.path), bytes: file.bytes, sha256: file.sha256 }));
    return this.#make(paths[0]!, origin, named, signal, async (folder) => {
      await checkSpace(folder, named);
      for (const [index, file] of files.entries()) {
        const { file: name } = named[index]!;
        // Left by a pull that ended between two files; one of another version may have the same size.
        if (
          (await sizeOf(join(folder, name))) === file.bytes &&
          (await hashOf(join(folder, name), signal)) === file.sha256
        )
          continue;
        await download(this.#hub, repository, file, folder, name, options);
      }
    });
  }

  async #copy(path: string, { signal, onProgress }: DownloadOptions): Promise<LocalModel> {
    await readGguf(path);
    const names = filesOfSplit(basename(path));
    const files: LocalFile[] = [];
    for (const file of names) {
      const from = join(dirname(path), file);
      const bytes = await sizeOf(from);
      if (bytes === 0)
        throw new HelixError('usage.invalid', `${path} is one of ${names.length} files, and ${from} is missing`);
      const onBytes = (completedBytes: number): void =>
        onProgress({ what: `reading ${file}`, completedBytes, totalBytes: bytes });
      files.push({ file, bytes, sha256: await sha256Of(from, signal, onBytes) });
    }
    return this.#make(names[0]!, `file:${path}`, files, signal, async (folder) => {
      await checkSpace(folder, files);
      for (const { file, sha256 } of files) {
        onProgress({ what: `copying ${file}` });
        const part = join(folder, partName(sha256));
        // Where the file system can, the copy shares its blocks with the original.
        await copyFile(join(dirname(path), file), part, constants.COPYFILE_FICLONE);
        await rename(part, join(folder, file));
      }
    });
  }

  /** Two pulls of one model go one after the other, and the second finds it there. */
  async #make(
    path: string,
    source: string,
    files: LocalFile[],
    signal: AbortSignal,
    fill: (folder: string) => Promise<void>,
  ): Promise<LocalModel> {
    const name = modelNameOfFile(path);
    const folder = this.#store.folderOf(name);
    await mkdir(folder, { recursive: true });
    return exclusively(
      `${folder}.lock`,
      async () => {
        await mkdir(folder, { recursive: true });
        const there = await this.#store.get(name).catch(() => undefined);
        if (there && isSame(there.files, files)) return there;
        // Files of another version under the same names are not to be taken for these.
        if (there) await this.#store.remove(name);
        await mkdir(folder, { recursive: true });
        await removeOthers(folder, files);
        await fill(folder);
        const facts = await readGguf(join(folder, files[0]!.file));
        const quantization = facts.quantization ?? quantizationOf(path);
        const model = { name, source, files, pulledAt: new Date().toISOString() };
        const made = { ...model, facts: { ...facts, ...(quantization === undefined ? {} : { quantization }) } };
        await this.#store.save(made);
        return made;
      },
      signal,
    );
  }
}

function hashOf(path: string, signal: AbortSignal): Promise<string> {
  return sha256Of(path, signal, () => undefined);
}

function isSame(left: readonly LocalFile[], right: readonly LocalFile[]): boolean {
  const hashes = (files: readonly LocalFile[]): string => files.map(({ sha256 }) => sha256).join();
  return hashes(left) === hashes(right);
}

/** Removes what an earlier pull of another version has left. Files are never half: they are renamed when whole. */
async function removeOthers(folder: string, files: readonly LocalFile[]): Promise<void> {
  const wanted = new Set(files.flatMap(({ file, sha256 }) => [file, partName(sha256)]));
  const found = await readdir(folder);
  await Promise.all(
    found.filter((name) => !wanted.has(name)).map((name) => rm(join(folder, name), { recursive: true })),
  );
}

async function checkSpace(folder: string, files: readonly LocalFile[]): Promise<void> {
  const there = await Promise.all(
    files.map(
      async ({ file, sha256 }) => (await sizeOf(join(folder, file))) + (await sizeOf(join(folder, partName(sha256)))),
    ),
  );
  const missing = files.reduce((sum, { bytes }, index) => sum + Math.max(0, bytes - there[index]!), 0);
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (missing + spareBytes <= free) return;
  const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
  throw new HelixError(
    'node.disk-full',
    `the model needs ${gigabytes(missing)} more, and the disk of ${folder} has ${gigabytes(free)} free, of which ${gigabytes(spareBytes)} are kept: ` +
      'make room, or remove a model with "helix models rm"',
  );
}

import { existsSync, readdirSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HelixError } from '../../contracts/error.ts';
import { type LocalModel, localModelNameSchema, localModelSchema } from '../../contracts/local-model.ts';
import { nearestNames } from '../../contracts/nearest-names.ts';

const manifest = 'manifest.json';

/** The models of a home, each in a folder with its files and a manifest, which is written last: without it a model is not there. */
export class ModelStore {
  readonly #folder: string;

  constructor(home: string) {
    this.#folder = join(home, 'models');
  }

  /** By name. */
  async list(): Promise<LocalModel[]> {
    const names = await readdir(this.#folder).catch(() => []);
    const models = await Promise.all(names.map((name) => this.#read(name)));
    return models.flatMap((model) => model ?? []).toSorted((a, b) => a.name.localeCompare(b.name));
  }

  /** Whether there is any. Synchronous, for those who choose a provider. */
  hasAny(): boolean {
    try {
      return readdirSync(this.#folder).some((name) => existsSync(join(this.#folder, name, manifest)));
    } catch {
      return false;
    }
  }

  /** Throws `llm.model-not-found`, with names that may have been meant. */
  async get(name: string): Promise<LocalModel> {
    const model = localModelNameSchema.safeParse(name).success ? await this.#read(name) : undefined;
    if (model) return model;
    const near = nearestNames(
      name,
      (await this.list()).map((one) => one.name),
    );
    throw new HelixError(
      'llm.model-not-found',
      `there is no local model ${name}${near.length > 0 ? `; did you mean ${near.join(' or ')}?` : ''} ("helix models list --local" lists them, "helix models pull" fetches one)`,
    );
  }

  folderOf(name: string): string {
    return join(this.#folder, name);
  }

  /** The file that is loaded. */
  fileOf(model: LocalModel): string {
    return join(this.#folder, model.name, model.files[0]!.file);
  }

  async save(model: LocalModel): Promise<void> {
    const folder = this.folderOf(model.name);
    await mkdir(folder, { recursive: true });
    const draft = join(folder, `${manifest}.${process.pid}`);
    await writeFile(draft, `${JSON.stringify(localModelSchema.parse(model), null, 2)}\n`);
    await rename(draft, join(folder, manifest));
  }

  /** Removes a model with its files. Throws `llm.model-not-found`. */
  async remove(name: string): Promise<LocalModel> {
    const model = await this.get(name);
    // Without its manifest it is gone, also when the rest cannot be removed at once.
    await rm(join(this.folderOf(name), manifest));
    await rm(this.folderOf(name), { recursive: true, force: true });
    return model;
  }

  async #read(name: string): Promise<LocalModel | undefined> {
    const text = await readFile(join(this.#folder, name, manifest), 'utf8').catch(() => undefined);
    if (text === undefined) return undefined;
    try {
      return localModelSchema.parse(JSON.parse(text));
    } catch {
      // Of another version, or damaged: pulling the model again writes it anew.
      return undefined;
    }
  }
}

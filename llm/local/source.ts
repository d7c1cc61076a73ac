import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HelixError } from '../../contracts/error.ts';
import { nearestNames } from '../../contracts/nearest-names.ts';
import { knownModels } from './recommend.ts';

/** Where a model comes from. */
export type ModelSource =
  | { kind: 'hub'; repository: string; revision: string; file?: string; quantization?: string }
  | { kind: 'file'; path: string }
  | { kind: 'ollama'; model: string };

const repositoryName = String.raw`[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*`;
const hubSource = new RegExp(
  String.raw`^(?:hub:|hf:)?(${repositoryName})(?:@([\w.-]+))?(?:\/([^:]+\.gguf)|:([\w.-]+))?$`,
  'i',
);

/**
 * Reads what a user wants to pull: a name of the list of recommendations, `ollama/NAME`, an absolute path or `file://` URL of a GGUF, or
 * `hub:owner/repository` with `/file.gguf` or `:quantization` behind it and `@revision` between. Throws `usage.invalid`.
 */
export function parseSource(text: string): ModelSource {
  if (text.startsWith('file://')) return { kind: 'file', path: pathOf(text) };
  if (isAbsolute(text)) return { kind: 'file', path: text };
  const name = text.replace(/^llamacpp\//, '');
  const known = knownModels.find((model) => model.name === name);
  if (known) return { kind: 'hub', repository: known.repository, revision: 'main', file: known.file };
  if (/^ollama\/./.test(text)) return { kind: 'ollama', model: text.slice('ollama/'.length) };
  const [, repository, revision = 'main', file, quantization] = hubSource.exec(text) ?? [];
  if (repository === undefined || file?.split('/').includes('..')) throw unknown(text);
  return {
    kind: 'hub',
    repository,
    revision,
    ...(file === undefined ? {} : { file }),
    ...(quantization === undefined ? {} : { quantization }),
  };
}

function pathOf(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (error) {
    throw new HelixError('usage.invalid', `${url} is no address of a file on this machine`, { cause: error });
  }
}

function unknown(text: string): HelixError {
  const near = nearestNames(
    text,
    knownModels.map(({ name }) => name),
  );
  return new HelixError(
    'usage.invalid',
    `"${text}" is no model to pull${near.length > 0 ? `; did you mean ${near.join(' or ')}?` : ''}: give a name that "helix models recommend" ` +
      'lists, hub:owner/repository/file.gguf or hub:owner/repository:Q4_K_M, ollama/NAME, or the path of a GGUF',
  );
}

const part = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/i;

/** Which part of a split model a file is, counted from 1; undefined for a whole one. */
export function splitOf(file: string): { base: string; index: number; count: number } | undefined {
  const [, base, index, count] = part.exec(file) ?? [];
  return base === undefined ? undefined : { base, index: Number(index), count: Number(count) };
}

/** All files of the model that a file is of, in their order. llama.cpp is given the first and finds the others by their names. */
export function filesOfSplit(file: string): string[] {
  const split = splitOf(file);
  if (!split) return [file];
  const digits = (value: number): string => String(value).padStart(5, '0');
  return Array.from({ length: split.count }, (_, index) => {
    return `${split.base}-${digits(index + 1)}-of-${digits(split.count)}.gguf`;
  });
}

/** The name of a model in the store, made of its file's. */
export function modelNameOfFile(file: string): string {
  const base = file.split('/').at(-1)!;
  const stem = splitOf(base)?.base ?? base.replace(/\.gguf$/i, '');
  const name = stem
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 128);
  return name === '' ? 'model' : name;
}

import { isAbsolute } from 'node:path';

/** A model of llama.cpp as it is asked for: `NAME` is on the controller, `NAME@NODE` on that node, and a path is a file of the controller. */
export function placeOf(model: string): { name: string; node?: string } {
  if (isAbsolute(model)) return { name: model };
  const [name = '', node] = model.split('@', 2);
  return node === undefined ? { name } : { name, node };
}

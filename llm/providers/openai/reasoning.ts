import type { JsonValue, Opaque } from '../../../contracts/llm.ts';
import { member } from './wire.ts';
import type { WireDelta } from './wire.ts';

// Fields by which servers show what a model thought, in the order in which the first is shown, and those that hold what cannot be shown.
const shownFields = ['reasoning_content', 'reasoning', 'reasoning_text'] as const;
const hiddenField = 'reasoning_opaque';
const detailsField = 'reasoning_details';

/** The reasoning of one answer, gathered piece by piece. */
export class Reasoning {
  readonly #fields: Record<string, JsonValue> = {};
  #text = '';

  /** Takes what a piece, or the `whole` message, says of reasoning and returns the text of it that is to be shown. */
  add(delta: WireDelta, whole: boolean): string {
    let shown = '';
    for (const field of shownFields) {
      const text = delta[field];
      if (typeof text !== 'string' || text === '') continue;
      this.#fields[field] = `${(this.#fields[field] as string | undefined) ?? ''}${text}`;
      shown ||= text;
    }
    const hidden = delta[hiddenField];
    if (typeof hidden === 'string')
      this.#fields[hiddenField] = `${(this.#fields[hiddenField] as string | undefined) ?? ''}${hidden}`;
    const details = delta[detailsField];
    if (Array.isArray(details)) {
      const inDetails = shown === '';
      const kept = (this.#fields[detailsField] ??= []) as JsonValue[];
      for (const detail of details as JsonValue[]) {
        if (whole) kept.push(detail);
        else mergeDetail(kept, detail);
        if (inDetails) shown += detailText(detail);
      }
    }
    this.#text += shown;
    return shown;
  }

  /** What was shown, and every field as it came; undefined when the model showed no reasoning. */
  finish(provider: string): { text: string; opaque: Opaque } | undefined {
    if (Object.keys(this.#fields).length === 0) return undefined;
    return { text: this.#text, opaque: { provider, data: this.#fields } };
  }
}

/** The fields of a message that give a model its reasoning back. */
export function reasoningFields(opaque: Opaque | undefined, provider: string): Record<string, unknown> {
  if (opaque?.provider !== provider) return {};
  const fields: Record<string, unknown> = {};
  for (const field of [...shownFields, hiddenField, detailsField]) {
    const value = member(opaque.data, field);
    if (value !== undefined) fields[field] = value;
  }
  return fields;
}

function detailText(detail: JsonValue): string {
  const text = member(detail, 'text') ?? member(detail, 'summary');
  return typeof text === 'string' ? text : '';
}

/** A text or summary comes in pieces, its signature with the last; everything else comes whole. */
function mergeDetail(kept: JsonValue[], detail: JsonValue): void {
  const last = kept.at(-1);
  const goesOn =
    /^reasoning\.(?:text|summary)$/.test(String(member(detail, 'type'))) &&
    ['type', 'index'].every((key) => member(last, key) === member(detail, key)) &&
    !member(last, 'signature');
  if (!goesOn) {
    kept.push(structuredClone(detail));
    return;
  }
  const open = last as Record<string, JsonValue>;
  for (const [key, value] of Object.entries(detail as Record<string, JsonValue>)) {
    const before = open[key];
    const grows = (key === 'text' || key === 'summary') && typeof before === 'string' && typeof value === 'string';
    if (grows) open[key] = `${before}${value}`;
    else if (value !== null) open[key] = value;
  }
}

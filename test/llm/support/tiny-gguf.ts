import { writeFile } from 'node:fs/promises';

/** A chat template that tells who speaks, and opens the model's thoughts when it is its turn. */
export const thinkingTemplate = `{%- for message in messages -%}
{%- if message.role == 'assistant' -%}<a>{%- if message.reasoning_content %}<think>{{ message.reasoning_content }}</think>{%- endif %}{{ message.content }}</a>
{%- else -%}<{{ message.role }}>{{ message.content }}</{{ message.role }}>
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt %}<a><think>{%- endif -%}`;

const width = 64;
const layers = 2;
const feedForward = 128;
const heads = 4;
const alignment = 32;
const kinds = { u32: 4, f32: 6, string: 8, array: 9, i32: 5 } as const;

/**
 * A model of the llama layout with random weights and a vocabulary of bytes: 470 KB that llama.cpp loads like any other. An endless one never says
 * that it has said all; others do sooner or later.
 */
export async function writeTinyGguf(
  path: string,
  options: { template?: string; context?: number; endless?: boolean } = {},
): Promise<void> {
  const tokens = ['<unk>', '<s>', '</s>', ...Array.from({ length: 256 }, (_, byte) => byteToken(byte))];
  // Unknown, control, and bytes, as llama.cpp numbers the types of tokens.
  const types = tokens.map((_, id) => (id === 0 ? 2 : id < 3 ? 3 : 6));
  const metadata = [
    text('general.architecture', 'llama'),
    text('general.name', 'tiny'),
    text('general.size_label', '100K'),
    number('general.file_type', 0),
    number('llama.context_length', options.context ?? 8192),
    number('llama.embedding_length', width),
    number('llama.block_count', layers),
    number('llama.feed_forward_length', feedForward),
    number('llama.attention.head_count', heads),
    number('llama.attention.head_count_kv', heads),
    number('llama.rope.dimension_count', width / heads),
    float('llama.attention.layer_norm_rms_epsilon', 1e-5),
    text('tokenizer.ggml.model', 'llama'),
    list('tokenizer.ggml.tokens', kinds.string, tokens.map(bytesOf)),
    list(
      'tokenizer.ggml.scores',
      kinds.f32,
      tokens.map(() => floatBytes(0)),
    ),
    list('tokenizer.ggml.token_type', kinds.i32, types.map(u32)),
    number('tokenizer.ggml.bos_token_id', 1),
    number('tokenizer.ggml.eos_token_id', 2),
    number('tokenizer.ggml.unknown_token_id', 0),
    ...(options.template === undefined ? [] : [text('tokenizer.chat_template', options.template)]),
  ];
  const tensors = shapes(tokens.length).map(([name, dimensions]) => ({
    name,
    dimensions,
    data: weights(name, dimensions),
  }));
  if (options.endless) neverEnd(tensors);
  let offset = 0;
  const infos = tensors.map(({ name, dimensions, data }) => {
    const info = [bytesOf(name), u32(dimensions.length), ...dimensions.map(u64), u32(0), u64(offset)];
    offset += padded(data).length;
    return Buffer.concat(info);
  });
  const counts = [u64(tensors.length), u64(metadata.length)];
  const header = Buffer.concat([Buffer.from('GGUF'), u32(3), ...counts, ...metadata, ...infos]);
  await writeFile(path, Buffer.concat([padded(header), ...tensors.map(({ data }) => padded(data))]));
}

function shapes(vocabulary: number): [string, number[]][] {
  const blocks = Array.from({ length: layers }, (_, index): [string, number[]][] => [
    [`blk.${index}.attn_norm.weight`, [width]],
    [`blk.${index}.attn_q.weight`, [width, width]],
    [`blk.${index}.attn_k.weight`, [width, width]],
    [`blk.${index}.attn_v.weight`, [width, width]],
    [`blk.${index}.attn_output.weight`, [width, width]],
    [`blk.${index}.ffn_norm.weight`, [width]],
    [`blk.${index}.ffn_gate.weight`, [width, feedForward]],
    [`blk.${index}.ffn_up.weight`, [width, feedForward]],
    [`blk.${index}.ffn_down.weight`, [feedForward, width]],
  ]);
  return [
    ['token_embd.weight', [width, vocabulary]],
    ...blocks.flat(),
    ['output_norm.weight', [width]],
    ['output.weight', [width, vocabulary]],
  ];
}

/** Every token has much of the first dimension, in which the end of the text is as unlikely as can be. */
function neverEnd(tensors: readonly { name: string; data: Buffer }[]): void {
  const bytesOfRow = width * 4;
  for (const { name, data } of tensors) {
    if (name === 'token_embd.weight') for (let at = 0; at < data.length; at += bytesOfRow) data.writeFloatLE(5, at);
    if (name === 'output.weight') data.fill(0, 2 * bytesOfRow, 3 * bytesOfRow).writeFloatLE(-100, 2 * bytesOfRow);
  }
}

/** The same in every run: norms of one, everything else small and without pattern. */
function weights(name: string, dimensions: number[]): Buffer {
  const values = new Float32Array(dimensions.reduce((product, size) => product * size, 1));
  let state = Buffer.from(name).reduce((sum, byte) => (sum * 31 + byte) >>> 0, 7);
  for (let index = 0; index < values.length; index += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[index] = name.includes('norm') ? 1 : (state / 2 ** 32 - 0.5) * 0.2;
  }
  return Buffer.from(values.buffer);
}

function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((alignment - (bytes.length % alignment)) % alignment)]);
}

function text(key: string, value: string): Buffer {
  return Buffer.concat([bytesOf(key), u32(kinds.string), bytesOf(value)]);
}

function number(key: string, value: number): Buffer {
  return Buffer.concat([bytesOf(key), u32(kinds.u32), u32(value)]);
}

function float(key: string, value: number): Buffer {
  return Buffer.concat([bytesOf(key), u32(kinds.f32), floatBytes(value)]);
}

function list(key: string, kind: number, values: Buffer[]): Buffer {
  return Buffer.concat([bytesOf(key), u32(kinds.array), u32(kind), u64(values.length), ...values]);
}

function bytesOf(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([u64(bytes.length), bytes]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function floatBytes(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

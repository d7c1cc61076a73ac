/** `general.file_type` of a GGUF, as llama.cpp numbers them (include/llama.h, llama_ftype). */
export const fileTypes: Readonly<Record<number, string>> = {
  0: 'F32',
  1: 'F16',
  2: 'Q4_0',
  3: 'Q4_1',
  7: 'Q8_0',
  8: 'Q5_0',
  9: 'Q5_1',
  10: 'Q2_K',
  11: 'Q3_K_S',
  12: 'Q3_K_M',
  13: 'Q3_K_L',
  14: 'Q4_K_S',
  15: 'Q4_K_M',
  16: 'Q5_K_S',
  17: 'Q5_K_M',
  18: 'Q6_K',
  19: 'IQ2_XXS',
  20: 'IQ2_XS',
  21: 'Q2_K_S',
  22: 'IQ3_XS',
  23: 'IQ3_XXS',
  24: 'IQ1_S',
  25: 'IQ4_NL',
  26: 'IQ3_S',
  27: 'IQ3_M',
  28: 'IQ2_S',
  29: 'IQ2_M',
  30: 'IQ4_XS',
  31: 'IQ1_M',
  32: 'BF16',
  36: 'TQ1_0',
  37: 'TQ2_0',
  38: 'MXFP4',
};

/** Bits of a weight on average, scales and the larger outer layers included. */
const bitsPerWeight: Readonly<Record<string, number>> = {
  F32: 32,
  F16: 16,
  BF16: 16,
  Q8_0: 8.5,
  Q6_K: 6.56,
  Q5_K_M: 5.69,
  Q5_K_S: 5.54,
  Q5_0: 5.54,
  Q5_1: 6,
  Q4_K_M: 4.85,
  Q4_K_S: 4.58,
  Q4_0: 4.55,
  Q4_1: 5,
  IQ4_XS: 4.3,
  IQ4_NL: 4.55,
  MXFP4: 4.25,
  Q3_K_L: 4.27,
  Q3_K_M: 3.91,
  Q3_K_S: 3.5,
  IQ3_M: 3.7,
  IQ3_XXS: 3.15,
  Q2_K: 3.35,
  IQ2_M: 2.7,
  IQ2_XS: 2.4,
  IQ1_M: 1.8,
};

/** Bytes of a GGUF of so many parameters, within some percent; undefined for a quantization that is not known. */
export function ggufBytes(parameters: number, quantization: string): number | undefined {
  const bits = bitsPerWeight[quantization.toUpperCase()];
  return bits === undefined ? undefined : Math.round((parameters * bits) / 8);
}

/** The quantization that a file's name says, e.g. of `qwen2.5-coder-7b-instruct-q4_k_m.gguf`: `Q4_K_M`. */
export function quantizationOf(file: string): string | undefined {
  const names = Object.values(fileTypes).toSorted((a, b) => b.length - a.length);
  const upper = file.toUpperCase();
  return names.find((name) => new RegExp(`(?:^|[^A-Z0-9])${name}(?:[^A-Z0-9_]|$)`).test(upper));
}

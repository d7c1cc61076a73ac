// Models that run on the user's own machines, as the API tells of them.
import { z } from 'zod';

const bytes = z.number().int().nonnegative();

/** How a model is named in the store: `llamacpp/NAME` is the model to ask. */
export const localModelNameSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,127}$/, 'a local model is named with small letters, digits, dots, dashes and _');

/** What a GGUF file says of itself. Numbers are missing where it does not. */
export const ggufFactsSchema = z.object({
  architecture: z.string(),
  name: z.string().optional(),
  parameters: z.number().positive().optional(),
  /** E.g. `Q4_K_M`. */
  quantization: z.string().optional(),
  /** What it was trained for. */
  contextTokens: z.number().int().positive().optional(),
  /** Of the cache of keys and values, 16 bits each, for one token of context. */
  cacheBytesPerToken: bytes,
  thinking: z.boolean(),
});
export type GgufFacts = z.infer<typeof ggufFactsSchema>;

export const localFileSchema = z.object({
  /** Inside the model's folder. */
  file: z.string(),
  bytes,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type LocalFile = z.infer<typeof localFileSchema>;

/** A model in the store. The first file is the one that is loaded. */
export const localModelSchema = z.object({
  name: localModelNameSchema,
  /** Where it came from: `hub:owner/repository/file@commit`, or `file:/path`. */
  source: z.string(),
  files: z.array(localFileSchema).min(1),
  facts: ggufFactsSchema,
  pulledAt: z.iso.datetime(),
});
export type LocalModel = z.infer<typeof localModelSchema>;
/** A model with the node that it is on; `llamacpp/NAME` asks for it wherever it is, `llamacpp/NAME@NODE` there. */
export const placedModelSchema = localModelSchema.extend({ node: z.string() });
export type PlacedModel = z.infer<typeof placedModelSchema>;

/** A model that Ollama has fetched. */
export const ollamaModelSchema = z.object({
  name: z.string(),
  bytes,
  quantization: z.string(),
  contextTokens: z.number().optional(),
});

export const localModelListSchema = z.object({
  models: z.array(placedModelSchema),
  /** Empty without an address of Ollama. */
  ollama: z.array(ollamaModelSchema),
  /** Why Ollama does not list its models. */
  ollamaReason: z.string().optional(),
});
export type LocalModelList = z.infer<typeof localModelListSchema>;

/** What a machine has to run a model with. */
export const localHardwareSchema = z.object({
  cpus: z.number().int().positive(),
  memoryBytes: bytes,
  /** Memory of a graphics card of its own; missing where there is none, or where it is not known. */
  gpuMemoryBytes: bytes.optional(),
  /** A graphics processor that works in the machine's own memory. */
  unifiedMemory: z.boolean(),
});
export type LocalHardware = z.infer<typeof localHardwareSchema>;

/** What a machine makes of a model: where it runs, with how much context, and roughly how fast. */
export const fitSchema = z.object({
  where: z.enum(['gpu', 'cpu', 'partly-gpu', 'nowhere']),
  /** The longest context there is memory for, at most what the model was trained for. */
  contextTokens: z.number().int().nonnegative(),
  /** Weights, cache and working memory at that context. */
  neededBytes: bytes,
  /** Of an answer, by the bandwidth of the memory: within a factor of two. */
  tokensPerSecond: z.number().nonnegative(),
});
export type Fit = z.infer<typeof fitSchema>;

export const recommendationSchema = z.object({
  name: localModelNameSchema,
  title: z.string(),
  /** For `helix models pull`. */
  source: z.string(),
  parameters: z.number().positive(),
  quantization: z.string(),
  bytes,
  licence: z.string(),
  /** Where it fits, the node that it would be pulled to first. */
  places: z.array(z.object({ node: z.string(), fit: fitSchema, pulled: z.boolean() })).min(1),
});
export type Recommendation = z.infer<typeof recommendationSchema>;
export const recommendationListSchema = z.object({
  /** The controller first, then every healthy node. */
  machines: z.array(z.object({ node: z.string(), hardware: localHardwareSchema })),
  /** The best first; what does not fit anywhere is not there. */
  models: z.array(recommendationSchema),
});
export type RecommendationList = z.infer<typeof recommendationListSchema>;

export const localModelDetailsSchema = z.object({
  /** Missing for a model that Ollama has. */
  model: placedModelSchema.optional(),
  /** Where the file that is loaded is, for a model of the controller. */
  path: z.string().optional(),
  fit: fitSchema.optional(),
  /** What Ollama says, for a model of Ollama. */
  ollama: z.object({ name: z.string(), contextTokens: z.number().optional(), can: z.array(z.string()) }).optional(),
});
export type LocalModelDetails = z.infer<typeof localModelDetailsSchema>;

export const pullRequestSchema = z.strictObject({
  /** A name of the list of recommendations, `hub:owner/repository/file` or `:quantization`, `ollama/NAME`, or an absolute path of a GGUF on the controller. */
  source: z.string().min(1).max(4096),
  /** Where to; the one that suits best when left out. */
  node: z.string().optional(),
});

/** One line of the answer to a pull. */
export const pullEventSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('progress'),
    /** What is being done, e.g. `downloading model.gguf`. */
    what: z.string(),
    completedBytes: bytes.optional(),
    totalBytes: bytes.optional(),
  }),
  /** `name` is what to ask: `llamacpp/...` or `ollama/...`. */
  z.object({ type: z.literal('done'), name: z.string(), model: localModelSchema.optional() }),
  z.object({ type: z.literal('error'), code: z.string(), message: z.string() }),
]);
export type PullEvent = z.infer<typeof pullEventSchema>;

import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { z } from 'zod';
import { reasoningChoiceSchema, reasoningLimitsSchema } from '../contracts/reasoning.ts';

const port = (fallback: number) =>
  z.number().int().min(1).max(65_535).default(fallback).describe('a port: a whole number from 1 to 65535');
const milliseconds = (fallback: number) =>
  z.number().int().positive().default(fallback).describe('milliseconds: a whole number of at least 1');
const text = (allowed: string) => z.string().min(1).describe(allowed);

/** What all providers that are called over the network have. */
const remote = {
  apiKey: text('a key, or a reference to one: env:VARIABLE or file:/absolute/path').optional(),
  baseUrl: z
    .url({ protocol: /^https?$/ })
    .describe('an http or https URL')
    .optional(),
  timeoutMs: milliseconds(10 * 60_000),
  requestsPerMinute: z.number().int().min(1).describe('a whole number of at least 1').optional(),
  tokensPerMinute: z.number().int().min(1).describe('a whole number of at least 1').optional(),
  options: z
    .record(z.string(), z.json())
    .describe('a JSON object, laid over every request in the words of the provider')
    .optional(),
};
const provider = () => z.strictObject(remote).prefault({});

/**
 * Every setting of HelixCode. The description of a leaf says what is allowed there; error messages quote it.
 * A leaf's environment variable follows from its place: `api.port` is HELIX_API_PORT (see `settings.ts`).
 */
export const configSchema = z.strictObject({
  home: text('an absolute path').refine(isAbsolute, 'not absolute'),
  api: z
    .strictObject({
      host: text('a host name or IP address to listen on').default('127.0.0.1'),
      port: port(8640),
    })
    .prefault({}),
  database: z
    .strictObject({
      url: z
        .string()
        .regex(/^postgres(ql)?:\/\/[^/]/)
        .refine(URL.canParse, 'not a URL')
        .describe('an address like postgres://user:password@host:5432/database')
        .optional(),
    })
    .prefault({}),
  temporal: z
    .strictObject({
      address: z
        .string()
        .regex(/^(\[[0-9a-fA-F:]+\]|[^\s:/]+):\d{1,5}$/)
        .describe('host:port')
        .optional(),
      namespace: text('the name of a namespace').default('default'),
      uiUrl: z
        .url({ protocol: /^https?$/ })
        .describe('an http or https URL')
        .optional(),
      profile: text('the name of a profile in temporal.toml').optional(),
    })
    .prefault({}),
  /** Where the embedded parts listen; another free port is taken when one of these is in use. */
  ports: z.strictObject({ postgres: port(8641), temporal: port(7233), temporalUi: port(8233) }).prefault({}),
  node: z
    .strictObject({
      slots: z.number().int().min(1).max(1024).describe('a whole number from 1 to 1024').optional(),
    })
    .prefault({}),
  fleet: z
    .strictObject({
      /** How often nodes are asked anew what they have. */
      detectEveryMs: milliseconds(10 * 60_000),
      /** Until a node in quarantine is examined for the first time; each further wait is twice as long. */
      quarantineMs: milliseconds(60_000),
      /** What each node may keep to save work, besides what is in use; half of its disk when left out. */
      cacheBytes: z.number().int().min(0).describe('bytes: a whole number of at least 0').optional(),
      /** Where machines that join connect to, as long as any may come; another free port is taken when this one is in use. */
      join: z
        .strictObject({
          host: text('a host name or IP address to listen on').optional(),
          port: port(8642),
          address: text('HOST, HOST:PORT or [IPv6]:PORT under which machines find the controller')
            .regex(/^(\[[0-9a-fA-F:.]+\]|[^\s:/@[\]]+)(:\d{1,5})?$/)
            .optional(),
        })
        .prefault({}),
    })
    .prefault({}),
  step: z
    .strictObject({
      timeoutMs: milliseconds(30 * 60_000),
      nodeWaitMs: milliseconds(10 * 60_000),
      logLimitBytes: z
        .number()
        .int()
        .min(1024)
        .default(64 * 1024 * 1024)
        .describe('bytes: a whole number of at least 1024'),
    })
    .prefault({}),
  /** Language models. Without a model nothing of HelixCode asks one. */
  llm: z
    .strictObject({
      model: text('provider/model, e.g. anthropic/claude-sonnet-4-5, or auto').optional(),
      /** What `auto` takes. */
      prefer: z.enum(['cheapest', 'best']).default('cheapest').describe('cheapest or best'),
      fallback: text('provider/model, tried when the first one fails; several with commas between them').optional(),
      /** A provider's limit that lasts longer is not waited out when there is another model. */
      fallbackAfterMs: milliseconds(60_000),
      /** How agents come to their answers, where a request does not say. */
      reasoning: reasoningChoiceSchema.default('direct').describe(`one of ${reasoningChoiceSchema.options.join(', ')}`),
      reasoningLimits: reasoningLimitsSchema.prefault({}),
      parallelAgents: z
        .number()
        .int()
        .min(1)
        .max(50)
        .default(4)
        .describe('a whole number from 1 to 50: agents that work at once on parts of one goal'),
      anthropic: provider(),
      /** With a project, Gemini is called through Vertex AI. */
      gemini: z
        .strictObject({
          ...remote,
          project: text('the id of a Google Cloud project').optional(),
          location: text('a region of Google Cloud, or global').optional(),
          keyFile: text('the path of a JSON file of Google credentials').optional(),
        })
        .prefault({}),
      openai: provider(),
      xai: provider(),
      qwen: provider(),
      /** By title and referer OpenRouter tells its users' programs apart. */
      openrouter: z
        .strictObject({
          ...remote,
          title: text('a name').optional(),
          referer: z
            .url({ protocol: /^https?$/ })
            .describe('an http or https URL')
            .optional(),
        })
        .prefault({}),
      copilot: provider(),
      ollama: provider(),
      compatible: provider(),
      /** Models in files, run on this machine; its hub is where they are pulled from. */
      llamacpp: z
        .strictObject({
          gpu: z
            .enum(['auto', 'cuda', 'vulkan', 'metal', 'off'])
            .default('auto')
            .describe('one of auto, cuda, vulkan, metal, off'),
          contextTokens: z.number().int().min(512).describe('tokens: a whole number of at least 512').optional(),
          threads: z.number().int().min(1).max(1024).describe('a whole number from 1 to 1024').optional(),
          idleMs: milliseconds(10 * 60_000),
          timeoutMs: milliseconds(10 * 60_000),
          requestsPerMinute: z.number().int().min(1).describe('a whole number of at least 1').optional(),
          hubUrl: z
            .url({ protocol: /^https?$/ })
            .describe('an http or https URL')
            .optional(),
          hubToken: text('a token, or a reference to one: env:VARIABLE or file:/absolute/path').optional(),
        })
        .prefault({}),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: z
        .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal'])
        .default('info')
        .describe('one of trace, debug, info, warn, error, fatal'),
    })
    .prefault({}),
});
export type Config = z.infer<typeof configSchema>;

/** `$XDG_STATE_HOME/helixcode` where that variable is set, otherwise `~/.helixcode`. */
export function defaultHome(env: NodeJS.ProcessEnv): string {
  const state = env['XDG_STATE_HOME'];
  return state && isAbsolute(state) ? join(state, 'helixcode') : join(env['HOME'] || homedir(), '.helixcode');
}

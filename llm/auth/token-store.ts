import { z } from 'zod';

/** A token of somebody who logged in. */
export const tokenSchema = z.object({
  accessToken: z.string().min(1),
  refreshToken: z.string().min(1).optional(),
  /** Milliseconds since 1970; a token without it does not expire. */
  expiresAt: z.number().optional(),
  /** Where this token is to be used, when its issuer said so. */
  baseUrl: z.string().optional(),
});
export type Token = z.infer<typeof tokenSchema>;

/** Keeps tokens by name (`qwen`, `copilot` …). */
export interface TokenStore {
  get(name: string): Promise<Token | undefined>;
  put(name: string, token: Token): Promise<void>;
  /** Runs `use` while nobody else, in no other process either, runs it for that name. The signal ends the waiting. */
  exclusively<T>(name: string, use: () => Promise<T>, signal?: AbortSignal): Promise<T>;
}

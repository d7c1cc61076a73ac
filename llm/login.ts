import type { LoginEvent, LoginRequest } from '../contracts/api.ts';
import { type CopilotIssuer, loginCopilot } from './auth/copilot.ts';
import type { DeviceCode } from './auth/device-flow.ts';
import { loginQwen, type QwenIssuer } from './auth/qwen.ts';
import type { ProviderPool } from './provider-pool.ts';

/** Where the accounts are, when it is not where everybody's are. */
interface Issuers {
  qwen?: Partial<QwenIssuer>;
  copilot?: Partial<CopilotIssuer>;
}

/** The providers one logs in to. */
export const loginProviders = ['qwen', 'copilot'] as const satisfies readonly LoginRequest['provider'][];

/**
 * Lets the user log in with a browser: tells the code and the address, then that it is done. From then on the pool opens the provider with the
 * new token. Throws the errors of the device flow, and the signal's reason when aborted.
 */
export async function* login(
  pool: Pick<ProviderPool, 'tokens' | 'forget'>,
  { provider }: LoginRequest,
  signal: AbortSignal,
  issuers: Issuers = {},
): AsyncGenerator<LoginEvent> {
  const { promise: told, resolve: tell } = Promise.withResolvers<DeviceCode>();
  // Whoever stops listening has stopped waiting for the browser too.
  const left = new AbortController();
  const options = { tell, signal: AbortSignal.any([signal, left.signal]) };
  const finished =
    provider === 'qwen'
      ? loginQwen(pool.tokens, options, issuers.qwen)
      : loginCopilot(pool.tokens, options, issuers.copilot);
  finished.catch(() => undefined);
  try {
    const code = await Promise.race([told, finished]);
    if (code) yield { type: 'code', ...code, expiresAt: code.expiresAt.toISOString() };
    await finished;
  } finally {
    left.abort();
  }
  pool.forget(provider);
  yield { type: 'done', provider };
}

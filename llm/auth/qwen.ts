import { HelixError } from '../../contracts/error.ts';
import { httpError } from '../providers/errors.ts';
import { runDeviceFlow } from './device-flow.ts';
import type { DeviceFlowOptions } from './device-flow.ts';
import { askIssuer } from './oauth-request.ts';
import { RenewedToken } from './renewed-token.ts';
import type { Token, TokenStore } from './token-store.ts';

/** Where Qwen's accounts are, and as which program HelixCode logs in: that of Qwen Code, for there is no other. */
export interface QwenIssuer {
  codeEndpoint: string;
  tokenEndpoint: string;
  clientId: string;
}

const defaultIssuer: QwenIssuer = {
  codeEndpoint: 'https://chat.qwen.ai/api/v1/oauth2/device/code',
  tokenEndpoint: 'https://chat.qwen.ai/api/v1/oauth2/token',
  clientId: 'f0304373b74a44d2b584a3fb70ca9e56',
};
const tokenName = 'qwen';

/** Logs in to a Qwen account in a browser and keeps the token. Errors are those of `runDeviceFlow`. */
export async function loginQwen(
  store: TokenStore,
  options: DeviceFlowOptions,
  issuer: Partial<QwenIssuer> = {},
): Promise<void> {
  const flow = {
    ...defaultIssuer,
    ...issuer,
    provider: 'qwen',
    scope: 'openid profile email model.completion',
    pkce: true,
    intervalMs: 2_000,
  };
  await store.put(tokenName, readToken(await runDeviceFlow(flow, options)));
}

/** The token of the Qwen account that is logged in. It throws `llm.not-configured` when none is, or `llm.authentication` when its login has ended. */
export function qwenToken(store: TokenStore, issuer: Partial<QwenIssuer> = {}): RenewedToken {
  const { tokenEndpoint, clientId } = { ...defaultIssuer, ...issuer };
  return new RenewedToken({
    store,
    name: tokenName,
    renew: async (old, signal) => {
      if (!old)
        throw new HelixError('llm.not-configured', 'Nobody is logged in to Qwen. Log in, or configure an API key.');
      const context = { provider: 'qwen', secrets: [old.accessToken, old.refreshToken] };
      const ended = new HelixError('llm.authentication', 'The login to Qwen has ended. Log in again.', {
        details: { provider: 'qwen' },
      });
      if (old.refreshToken === undefined) throw ended;
      const answer = await askIssuer(context, tokenEndpoint, {
        form: { grant_type: 'refresh_token', refresh_token: old.refreshToken, client_id: clientId },
        signal,
      });
      if (answer.status === 400 || answer.status === 401) throw ended;
      if (answer.status >= 400) throw httpError(context, { ...answer });
      return readToken(answer.body, old);
    },
  });
}

function readToken(body: Record<string, unknown>, old?: Token): Token {
  const accessToken = body['access_token'];
  if (typeof accessToken !== 'string' || accessToken === '') {
    throw new HelixError('llm.unavailable', 'Qwen answered a login without a token. Try again later.');
  }
  const refreshToken = text(body['refresh_token']) ?? old?.refreshToken;
  const place = text(body['resource_url']);
  const baseUrl = place === undefined ? old?.baseUrl : apiAddress(place);
  return {
    accessToken,
    ...(refreshToken === undefined ? {} : { refreshToken }),
    ...(baseUrl === undefined ? {} : { baseUrl }),
    ...(typeof body['expires_in'] === 'number' ? { expiresAt: Date.now() + body['expires_in'] * 1000 } : {}),
  };
}

/** The issuer names a host; its API is under /v1. */
function apiAddress(place: string): string {
  const address = (/^https?:\/\//.test(place) ? place : `https://${place}`).replace(/\/+$/, '');
  return address.endsWith('/v1') ? address : `${address}/v1`;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

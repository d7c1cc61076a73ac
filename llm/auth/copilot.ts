import { createHash } from 'node:crypto';
import { HelixError } from '../../contracts/error.ts';
import { httpError } from '../providers/errors.ts';
import { runDeviceFlow } from './device-flow.ts';
import type { DeviceFlowOptions } from './device-flow.ts';
import { askIssuer } from './oauth-request.ts';
import { RenewedToken } from './renewed-token.ts';
import type { TokenStore } from './token-store.ts';

/** Where GitHub is, and as which program HelixCode logs in: Copilot gives its tokens to known editors alone. */
export interface CopilotIssuer {
  codeEndpoint: string;
  tokenEndpoint: string;
  /** Where the token of GitHub is exchanged for one of Copilot. */
  exchangeEndpoint: string;
  clientId: string;
}

const defaultIssuer: CopilotIssuer = {
  codeEndpoint: 'https://github.com/login/device/code',
  tokenEndpoint: 'https://github.com/login/oauth/access_token',
  exchangeEndpoint: 'https://api.github.com/copilot_internal/v2/token',
  clientId: 'Iv1.b507a08c87ecfe98',
};
const githubName = 'copilot';
const sessionName = 'copilot-session';

/** Without these headers Copilot refuses everything. */
export const editorHeaders: Readonly<Record<string, string>> = {
  'editor-version': 'vscode/1.104.1',
  'editor-plugin-version': 'copilot-chat/0.26.7',
  'copilot-integration-id': 'vscode-chat',
  'user-agent': 'GitHubCopilotChat/0.26.7',
  'x-github-api-version': '2025-04-01',
};

/** Logs in to GitHub in a browser and keeps its token. Errors are those of `runDeviceFlow`. */
export async function loginCopilot(
  store: TokenStore,
  options: DeviceFlowOptions,
  issuer: Partial<CopilotIssuer> = {},
): Promise<void> {
  const flow = {
    ...defaultIssuer,
    ...issuer,
    provider: 'copilot',
    scope: 'read:user',
    pkce: false,
    intervalMs: 5_000,
  };
  const body = await runDeviceFlow(flow, options);
  await store.put(githubName, { accessToken: String(body['access_token']) });
  // The session of the account that was logged in before must not be gone on with.
  await store.put(sessionName, { accessToken: 'none', expiresAt: 0 });
}

/**
 * Copilot's own token, good for half an hour, in exchange for GitHub's: `githubToken`, else that of the login. It throws `llm.not-configured`
 * when there is none, `llm.authentication` when GitHub refuses it or it has no Copilot.
 */
export function copilotToken(
  store: TokenStore,
  githubToken: string | undefined,
  issuer: Partial<CopilotIssuer> = {},
): RenewedToken {
  const { exchangeEndpoint } = { ...defaultIssuer, ...issuer };
  return new RenewedToken({
    store,
    name: githubToken === undefined ? sessionName : `${sessionName}-${fingerprint(githubToken)}`,
    renew: async (_, signal) => {
      const github = githubToken ?? (await store.get(githubName))?.accessToken;
      if (github === undefined) {
        throw new HelixError('llm.not-configured', 'Nobody is logged in to GitHub Copilot. Log in first.');
      }
      const context = { provider: 'copilot', secrets: [github] };
      const headers = { ...editorHeaders, authorization: `token ${github}` };
      const { status, headers: answered, body } = await askIssuer(context, exchangeEndpoint, { headers, signal });
      // GitHub answers 404 to accounts without Copilot.
      if (status >= 400)
        throw httpError(context, { status: status === 404 ? 403 : status, headers: answered, body: reason(body) });
      const { token, expires_at: expiresAt, endpoints } = body;
      if (typeof token !== 'string' || token === '') {
        throw new HelixError('llm.unavailable', 'GitHub answered without a token for Copilot. Try again later.');
      }
      const api = (endpoints as { api?: unknown } | null | undefined)?.api;
      return {
        accessToken: token,
        ...(typeof expiresAt === 'number' ? { expiresAt: expiresAt * 1000 } : {}),
        ...(typeof api === 'string' ? { baseUrl: api } : {}),
      };
    },
  });
}

function fingerprint(token: string): string {
  return createHash('sha256').update(token).digest('hex').slice(0, 12);
}

function reason(body: Record<string, unknown>): unknown {
  const details = body['error_details'] as { message?: unknown } | null | undefined;
  return typeof details?.message === 'string'
    ? details.message
    : (body['message'] ?? 'this account has no GitHub Copilot');
}

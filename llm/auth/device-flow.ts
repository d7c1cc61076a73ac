import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { HelixError } from '../../contracts/error.ts';
import { httpError, redact } from '../providers/errors.ts';
import type { ErrorContext } from '../providers/errors.ts';
import { askIssuer } from './oauth-request.ts';
import type { OAuthAnswer } from './oauth-request.ts';

/** What the user has to do: open the address in any browser and type the code. */
export interface DeviceCode {
  userCode: string;
  address: string;
  /** The address with the code in it already, where the issuer gives one. */
  completeAddress?: string;
  expiresAt: Date;
}

export interface DeviceFlowOptions {
  /** Is told the code and the address as soon as they are known. */
  tell(code: DeviceCode): void | Promise<void>;
  signal?: AbortSignal;
  /** How to wait between two questions; in milliseconds. */
  wait?(ms: number, signal: AbortSignal | undefined): Promise<void>;
}

/** One issuer's device authorization grant (RFC 8628). */
export interface DeviceFlow {
  provider: string;
  codeEndpoint: string;
  tokenEndpoint: string;
  clientId: string;
  scope: string;
  /** Whether it wants a proof key (RFC 7636) too. */
  pkce: boolean;
  /** Between two questions, where the issuer does not say. */
  intervalMs: number;
  headers?: Record<string, string>;
}

const grantType = 'urn:ietf:params:oauth:grant-type:device_code';
/** By which every further wait grows when the issuer asks for it, as the RFC says. */
const slowDownMs = 5_000;
const longestWaitMs = 60_000;

/**
 * Lets the user log in with a browser and waits for it. Returns the issuer's answer with the token. Throws `llm.authentication` when the user
 * declines or lets the code expire, `llm.unavailable` when the issuer cannot be reached, the signal's reason when aborted.
 */
export async function runDeviceFlow(flow: DeviceFlow, options: DeviceFlowOptions): Promise<Record<string, unknown>> {
  const wait = options.wait ?? pause;
  const verifier = randomBytes(32).toString('base64url');
  const context: ErrorContext = { provider: flow.provider, secrets: [verifier] };
  const begun = await begin(flow, context, verifier, options.signal);
  const deviceCode = String(begun['device_code']);
  const secrets: ErrorContext = { ...context, secrets: [verifier, deviceCode] };
  const expiresAt = new Date(Date.now() + seconds(begun['expires_in'], 900) * 1000);
  const complete = begun['verification_uri_complete'];
  await options.tell({
    userCode: String(begun['user_code']),
    address: String(begun['verification_uri'] ?? begun['verification_url']),
    ...(typeof complete === 'string' ? { completeAddress: complete } : {}),
    expiresAt,
  });

  let waitMs = begun['interval'] === undefined ? flow.intervalMs : seconds(begun['interval'], 5) * 1000;
  while (Date.now() + waitMs < expiresAt.getTime()) {
    await wait(waitMs, options.signal);
    const answer = await ask(flow, secrets, deviceCode, verifier, options.signal);
    if (typeof answer?.body['access_token'] === 'string') return answer.body;
    const verdict = answer === undefined ? 'unreachable' : verdictOf(answer);
    switch (verdict) {
      case 'pending':
        break;
      case 'slow_down':
        waitMs =
          answer?.body['interval'] === undefined ? waitMs + slowDownMs : seconds(answer.body['interval'], 5) * 1000;
        break;
      case 'unreachable':
        waitMs = Math.min(waitMs * 2, longestWaitMs);
        break;
      case 'access_denied':
        throw refused(flow, 'was declined in the browser. Log in again if that was a mistake.');
      case 'expired_token':
        throw expired(flow);
      default:
        throw httpError(secrets, {
          status: answer?.status === 200 ? 400 : (answer?.status ?? 500),
          headers: answer?.headers,
          body: said(answer, secrets),
        });
    }
  }
  throw expired(flow);
}

async function begin(
  flow: DeviceFlow,
  context: ErrorContext,
  verifier: string,
  signal: AbortSignal | undefined,
): Promise<Record<string, unknown>> {
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const answer = await askIssuer(context, flow.codeEndpoint, {
    form: {
      client_id: flow.clientId,
      scope: flow.scope,
      ...(flow.pkce ? { code_challenge: challenge, code_challenge_method: 'S256' } : {}),
    },
    ...(flow.headers ? { headers: flow.headers } : {}),
    signal,
  });
  if (answer.status >= 400 || typeof answer.body['device_code'] !== 'string') {
    const status = answer.status >= 400 ? answer.status : 400;
    throw httpError(context, { status, headers: answer.headers, body: said(answer, context) });
  }
  return answer.body;
}

/** Undefined when the issuer did not answer: the user may be in the middle of logging in, so asking goes on. */
async function ask(
  flow: DeviceFlow,
  context: ErrorContext,
  deviceCode: string,
  verifier: string,
  signal: AbortSignal | undefined,
): Promise<OAuthAnswer | undefined> {
  try {
    return await askIssuer(context, flow.tokenEndpoint, {
      form: {
        grant_type: grantType,
        client_id: flow.clientId,
        device_code: deviceCode,
        ...(flow.pkce ? { code_verifier: verifier } : {}),
      },
      ...(flow.headers ? { headers: flow.headers } : {}),
      signal,
    });
  } catch (error) {
    if (error instanceof HelixError) return undefined;
    throw error;
  }
}

function verdictOf({ status, body }: OAuthAnswer): string {
  const error = body['error'];
  if (error === 'authorization_pending' || body['status'] === 'pending') return 'pending';
  if (typeof error === 'string') return error;
  if (status === 429) return 'slow_down';
  return status >= 500 ? 'unreachable' : 'unknown';
}

/** What an issuer says of an error. */
function said(answer: OAuthAnswer | undefined, context: ErrorContext): string {
  const { error, error_description: description } = answer?.body ?? {};
  const words = [error, description].filter((word) => typeof word === 'string');
  return words.length > 0 ? redact(context, words.join(': ')) : 'the issuer of tokens gave an answer that is not known';
}

function refused(flow: DeviceFlow, what: string): HelixError {
  return new HelixError('llm.authentication', `The login to ${flow.provider} ${what}`, {
    details: { provider: flow.provider },
  });
}

function expired(flow: DeviceFlow): HelixError {
  return refused(flow, 'was not finished before its code expired. Log in again.');
}

function seconds(value: unknown, fallback: number): number {
  const number = Number(value);
  return Number.isFinite(number) && number >= 0 ? number : fallback;
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(ms, undefined, signal ? { signal } : {}).catch((error: unknown) => {
    throw signal?.aborted ? signal.reason : error;
  });
}

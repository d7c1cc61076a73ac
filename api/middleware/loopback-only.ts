import type { IncomingHttpHeaders } from 'node:http';
import type { RequestHandler } from 'express';
import { sendProblem } from '../problem.ts';

const loopbackHost = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;

/**
 * Why a request is refused that a web page could make the user's browser send: one under a name that merely resolves to loopback (DNS rebinding), or
 * one that comes from another origin. Undefined for one that may come in. The API has no other guard while it is unauthenticated.
 */
export function whyForeign(headers: IncomingHttpHeaders): string | undefined {
  const { host, origin } = headers;
  if (host === undefined || !loopbackHost.test(host))
    return `the API answers on this machine only, under localhost or 127.0.0.1, not as "${host ?? ''}"`;
  const isCrossSite = headers['sec-fetch-site'] === 'cross-site';
  if (isCrossSite || (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`))
    return `requests from other web pages are refused (origin "${origin ?? 'unknown'}")`;
  return undefined;
}

export const loopbackOnly: RequestHandler = (request, response, next) => {
  const detail = whyForeign(request.headers);
  if (detail === undefined) next();
  else sendProblem(response, { status: 403, code: 'usage.invalid', detail });
};

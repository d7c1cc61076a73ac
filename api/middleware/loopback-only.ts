import type { RequestHandler } from 'express';
import { sendProblem } from '../problem.ts';

const loopbackHost = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;

/**
 * Refuses what a web page could make the user's browser send: requests under a name that merely resolves to loopback (DNS
 * rebinding), and requests that come from another origin. The API has no other guard while it is unauthenticated.
 */
export const loopbackOnly: RequestHandler = (request, response, next) => {
  const { host, origin } = request.headers;
  if (host === undefined || !loopbackHost.test(host)) {
    const detail = `the API answers on this machine only, under localhost or 127.0.0.1, not as "${host ?? ''}"`;
    sendProblem(response, { status: 403, code: 'usage.invalid', detail });
    return;
  }
  const isCrossSite = request.headers['sec-fetch-site'] === 'cross-site';
  if (isCrossSite || (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`)) {
    const detail = `requests from other web pages are refused (origin "${origin ?? 'unknown'}")`;
    sendProblem(response, { status: 403, code: 'usage.invalid', detail });
    return;
  }
  next();
};

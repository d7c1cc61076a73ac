import type { ErrorRequestHandler } from 'express';
import type { Logger } from 'pino';
import { errorCodes, HelixError } from '../../contracts/error.ts';
import type { FieldError } from '../parse-input.ts';
import { sendProblem } from '../problem.ts';

/** Errors of Express and its body parser: made for the caller when `expose` is set. */
interface HttpError extends Error {
  status: number;
  expose: boolean;
}

/** Makes problem details of whatever a route throws. */
export function handleErrors(logger: Logger): ErrorRequestHandler {
  return (error: unknown, request, response, _next) => {
    if (response.headersSent) {
      // Half an answer is out: cutting the connection is the one way left to say that it is not whole.
      logger.warn({ err: error, url: request.originalUrl }, 'an answer broke off');
      response.destroy();
      return;
    }
    if (error instanceof HelixError) {
      const { errors, ...details } = error.details as { errors?: FieldError[] };
      const status = errorCodes[error.code].httpStatus;
      if (status >= 500) logger.warn({ err: error, url: request.originalUrl }, 'a request failed');
      sendProblem(response, {
        status,
        code: error.code,
        detail: error.message,
        details,
        ...(errors ? { errors } : {}),
      });
      return;
    }
    if (isHttpError(error)) {
      sendProblem(response, { status: error.status, code: 'usage.invalid', detail: error.message });
      return;
    }
    logger.error({ err: error, url: request.originalUrl }, 'a request failed unexpectedly');
    const detail = `${request.method} ${request.path} failed for a reason that is a fault of HelixCode: its log says more`;
    sendProblem(response, { status: 500, code: 'internal', detail });
  };
}

function isHttpError(error: unknown): error is HttpError {
  if (!(error instanceof Error)) return false;
  const { status, expose } = error as Partial<HttpError>;
  // A malformed percent sequence in a path comes as a URIError with a status alone.
  return typeof status === 'number' && status >= 400 && status < 500 && (expose === true || error instanceof URIError);
}

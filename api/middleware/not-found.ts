import type { RequestHandler } from 'express';
import { sendProblem } from '../problem.ts';

/** For a path no route knows. */
export const unknownRoute: RequestHandler = (request, response) => {
  sendProblem(response, { status: 404, code: 'usage.invalid', detail: `there is nothing at ${request.path}` });
};

/** For the end of a route: other methods than those it has. */
export function allowOnly(...methods: string[]): RequestHandler {
  return (request, response) => {
    response.set('Allow', methods.join(', '));
    const detail = `${request.method} is not possible at ${request.baseUrl}${request.path}; possible are ${methods.join(', ')}`;
    sendProblem(response, { status: 405, code: 'usage.invalid', detail });
  };
}

import express from 'express';
import type { ApiDeps } from './deps.ts';
import type { StreamTimings } from './event-feed.ts';
import { JobFeed } from './job-feed.ts';
import { handleErrors } from './middleware/errors.ts';
import { jsonBody } from './middleware/json-body.ts';
import { loopbackOnly } from './middleware/loopback-only.ts';
import { unknownRoute } from './middleware/not-found.ts';
import { securityHeaders } from './middleware/security-headers.ts';
import { answerRoutes } from './routes/answers.ts';
import { artifactRoutes } from './routes/artifacts.ts';
import { attachmentRoutes } from './routes/attachments.ts';
import { chatRoutes } from './routes/chats.ts';
import { classRoutes } from './routes/classes.ts';
import { eventRoutes } from './routes/events.ts';
import { healthRoutes } from './routes/health.ts';
import { jobActionRoutes } from './routes/job-actions.ts';
import { jobRoutes } from './routes/jobs.ts';
import { localModelRoutes } from './routes/local-models.ts';
import { modelRoutes } from './routes/models.ts';
import { nodeTokenRoutes } from './routes/node-tokens.ts';
import { nodeRoutes } from './routes/nodes.ts';
import { stepRoutes } from './routes/steps.ts';
import { usageRoutes } from './routes/usage.ts';
import type { Api } from './server.ts';
import { createSockets } from './socket/sockets.ts';

const defaultTimings: StreamTimings = { heartbeatMs: 15_000, pollMs: 3_000 };

/** The API under /v1, by HTTP and by WebSocket. It is unauthenticated: serve it on loopback addresses only. */
export function createApi(deps: ApiDeps, timings: StreamTimings = defaultTimings): Api {
  const feed = new JobFeed(deps.database);
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(securityHeaders, loopbackOnly);
  // Before what reads JSON: its bodies are files.
  app.use('/v1', attachmentRoutes(deps));
  app.use(...jsonBody);
  app.use('/v1', [
    healthRoutes(deps),
    jobRoutes(deps),
    jobActionRoutes(deps),
    chatRoutes(deps),
    eventRoutes(deps, feed, timings),
    stepRoutes(deps, feed),
    answerRoutes(deps, feed),
    artifactRoutes(deps),
    nodeRoutes(deps),
    nodeTokenRoutes(deps),
    classRoutes(deps),
    modelRoutes(deps),
    localModelRoutes(deps),
    usageRoutes(deps),
  ]);
  app.use(unknownRoute);
  app.use(handleErrors(deps.logger));
  return { app, sockets: createSockets({ deps, feed, timings }) };
}
